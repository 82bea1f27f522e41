"""One storage engine as a whole, and its search."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from webchat.chat.search import Found
from webchat.storage.protocols.conversations import Queue, ReplyLogs, Transcripts
from webchat.storage.protocols.coordination import Bus, Leases
from webchat.storage.protocols.documents import Documents
from webchat.storage.protocols.sessions import Sessions


@dataclass(frozen=True)
class Kept:
    """What is kept of one person: sessions, how many of them lie in the trash, and the bytes of all their transcripts.

    last_active: when something last happened in one of them, ISO 8601; "" if they have none.
    """

    owner: str | None
    sessions: int = 0
    deleted: int = 0
    bytes: int = 0
    last_active: str = ""


class Search(Protocol):
    """The words of all messages."""

    def find(self, query: str, owner: str | None, wanted: Callable[[str], bool], limit: int) -> Found:
        """The latest message of each session that has all the words of `query`, or words that begin so.

        `wanted` says which of the owner's sessions count, and refuses all others. May raise anything: what it knows is
        derived.
        """

    def forget_gone(self, *, wait: bool = False) -> None:
        """Let what was said in sessions that are gone go from here too.

        Returns at once; with `wait` when it is done, or raises why it cannot be.
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
    def documents(self) -> Documents: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def bus(self) -> Bus: ...
    @property
    def search(self) -> Search: ...

    def now(self) -> str:
        """The time, ISO 8601 in UTC, as all servers of this storage have it."""

    @property
    def place(self) -> str:
        """Where everything is, in words for who runs the chat: no password is in it."""

    def has(self, session_id: str) -> bool:
        """Whether there is a transcript or a reply of that session, with or without a record."""

    def export(self, session_id: str) -> bytes:
        """The session's transcript as JSON Lines, with the answer that is not in it yet."""

    def kept_by(self, owner: str | None) -> Kept:
        """What is kept of this person. What came with the last message may be missing in its bytes."""

    def people(self) -> Collection[Kept]:
        """The same for everybody who has a session."""

    def discard(self, session_ids: Collection[str]) -> list[str]:
        """Remove what was said in these sessions, also what was half written and what waits to be sent.

        Gives those of which nothing is left; what cannot be removed stays, and only the log says why.
        """

    def purge(self, session_ids: Collection[str], forget: Callable[[], None]) -> None:
        """Remove all that was said in these sessions, and by `forget` their records: all of it or nothing.

        Raises SessionBusy, and what `forget` raises.
        """

    def without_purges(self) -> AbstractContextManager[None]:
        """Hold off purges, of any process, for a block."""

    def importing(self, patience: float) -> AbstractContextManager[None]:
        """Hold off imports of any process for a block. Raises Locked after `patience` seconds."""

    def is_importing(self) -> bool:
        """Whether anybody is in such a block."""

    def recover(self) -> None:
        """Finish, or take back, what a crash has left of a purge; take in what earlier versions left elsewhere."""

    def adopt(self) -> list[str]:
        """Make records for transcripts that have come without one: copied, restored or synced. Gives their ids."""

    def free(self) -> int | None:
        """Bytes that can still be written; None if nobody can tell."""

    def probe(self) -> None:
        """Write something and remove it. Raises OSError."""

    def close(self) -> None:
        """End all that runs here; nothing is asked for after that."""
