"""One storage engine as a whole, and its search."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from webchat.chat.message import Message
from webchat.chat.search import Found
from webchat.storage.protocols.conversations import Queue, ReplyLogs, Transcripts
from webchat.storage.protocols.coordination import Bus, Leases
from webchat.storage.protocols.documents import Documents
from webchat.storage.protocols.pictures import Pictures
from webchat.storage.protocols.sessions import Sessions


@dataclass(frozen=True)
class Kept:
    """One person's usage: sessions, how many are in the trash, and the bytes of all transcripts and pictures.

    last_active: the latest activity, ISO 8601; "" without sessions.
    """

    owner: str | None
    sessions: int = 0
    deleted: int = 0
    bytes: int = 0
    last_active: str = ""


class Texts(Protocol):
    """The searched conversations, wherever they are stored."""

    @property
    def is_whole(self) -> bool:
        """Whether `sessions` has all of them; false while some are still being looked for."""

    def messages(self, session_id: str) -> Iterable[Message]:
        """All messages of a session, in the order they were added."""

    def sessions(self) -> Mapping[str, object]:
        """The sessions, with a version of each, the most recently written last."""


class Search(Protocol):
    """Full-text search in all messages."""

    def find(self, query: str, owner: str | None, wanted: Callable[[str], bool], limit: int) -> Found:
        """The latest message of each session that has all words of `query`; see `needles_of`.

        `wanted` filters the sessions. May raise anything: the index is derived data.
        """

    def forget_gone(self, *, wait: bool = False) -> None:
        """Remove deleted sessions from the index, too.

        Returns at once; with `wait` when it is done, or raises why it failed.
        """


class Storage(Protocol):
    """One engine: everything that the chat keeps."""

    @property
    def sessions(self) -> Sessions: ...
    @property
    def transcripts(self) -> Transcripts: ...
    @property
    def replies(self) -> ReplyLogs: ...
    @property
    def queue(self) -> Queue: ...
    @property
    def pictures(self) -> Pictures: ...
    @property
    def documents(self) -> Documents: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def bus(self) -> Bus: ...
    @property
    def search(self) -> Search: ...

    def index_of(self, texts: Texts, name: str) -> Search:
        """A full-text index of texts that are stored elsewhere, usable until this engine is closed.

        It is derived data; `name` distinguishes it from other indexes.
        """

    def now(self) -> str:
        """The time, ISO 8601 in UTC, by the one clock that all servers of this storage share."""

    @property
    def is_for_several(self) -> bool:
        """Whether several servers may use this storage: what one of them has in memory, others cannot find."""

    @property
    def place(self) -> str:
        """Where everything is stored, for the person who runs the chat; without a password."""

    def has(self, session_id: str) -> bool:
        """Whether there is a transcript or a reply of that session, with or without a record."""

    def queued(self) -> Mapping[str, object]:
        """The sessions whose queue is not empty, each with a version of the queue and the conversation together.

        It differs from an earlier one when either has changed, in any process.
        """

    def export(self, session_id: str) -> bytes:
        """The session's transcript as JSON Lines, including an answer in flight."""

    def kept_by(self, owner: str | None) -> Kept:
        """This person's usage. The bytes of the last message may be missing."""

    def people(self) -> Collection[Kept]:
        """The same for everybody who has a session."""

    def discard(self, session_ids: Collection[str]) -> list[str]:
        """Remove these sessions' messages, with unfinished answers, queues and pictures.

        Returns the sessions that are removed completely; the log says why others are not.
        """

    def purge(self, session_ids: Collection[str], forget: Callable[[], None]) -> None:
        """Remove these sessions' messages and pictures, and by `forget` their records: all or nothing.

        Raises SessionBusy, and what `forget` raises.
        """

    def without_purges(self) -> AbstractContextManager[None]:
        """Hold off purges, of any process, for a block."""

    def importing(self, patience: float) -> AbstractContextManager[None]:
        """Hold off imports of any process for a block. Raises Locked after `patience` seconds."""

    def is_importing(self) -> bool:
        """Whether anybody is in such a block."""

    def recover(self) -> None:
        """Finish or undo a purge that a crash has interrupted; move files of earlier versions to their place."""

    def adopt(self) -> list[str]:
        """Add records for transcripts without one: copied, restored or synced; returns their ids."""

    def free(self) -> int | None:
        """Free bytes; None if unknown."""

    def probe(self) -> None:
        """Write something and remove it. Raises OSError."""

    def close(self) -> None:
        """Close the engine; it is not used after that."""
