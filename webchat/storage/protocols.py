"""What the chat needs of a storage engine. Knows no engine.

Records go in and come out; how they are stored, and what tells one state from another, only the engine knows. All calls
may come from any thread. What cannot be read or written raises StorageError or OSError, and has then changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

from webchat.chat.message import Message
from webchat.chat.queued import QueuedMessage
from webchat.chat.reply import ReplyView
from webchat.chat.search import Found, TitleQuery
from webchat.chat.session import Row, WebChatSession
from webchat.chat.tree import Branch
from webchat.storage.wakeups import Waiter

Shelf = Literal["list", "archive", "both", "trash"]
"""Where a session is: in the list, in the archive, or in the trash; "both" are the first two."""
Lookup = Callable[[str], Row | None]
"""Gives a session's record, or None."""
CLAIMED = "\0claimed"
"""The owner of a record that an import has claimed and not completed. Nobody's name has a NUL."""
Release = Callable[[], None]


class Sessions(Protocol):
    """The records of all sessions. Each write is one step, and puts other writers of any process in order."""

    def get(self, session_id: str) -> WebChatSession | None:
        """The session, whosever it is, also in the trash."""

    def row(self, session_id: str) -> Row | None:
        """Its whole record, with what this version does not know."""

    def with_key(self, owner: str | None, key: str) -> str | None:
        """The id of the session that this person made with the key and that is not in the trash."""

    def current(self, owner: str | None) -> WebChatSession | None:
        """The person's current session."""

    def page(
        self,
        owner: str | None,
        shelf: Shelf,
        query: TitleQuery | None = None,
        start: int = 0,
        count: int | None = None,
        folder: str | None = None,
    ) -> list[WebChatSession]:
        """A person's sessions with such a title, the pinned ones first and then those of late first.

        With `folder` only those that have just this working_dir. In the trash the last deleted comes first. In the
        list are sessions that have begun, and the current one. The cost is that of the page, not that of all sessions.
        """

    def all_of(self, owner: str | None) -> list[WebChatSession]:
        """All of a person's sessions but those in the trash, those of late first."""

    def insert(self, row: Row, most: int) -> None:
        """Add a session, which becomes its owner's current one.

        Raises SessionExists if its id, or its owner's key, is there; LimitReached if the owner has `most` (0: any).
        """

    def update(
        self,
        session_ids: Collection[str],
        change: Callable[[str, Row | None], Row],
        *,
        owner: str | None = None,
        make_current: bool = False,
        more: int = 0,
        most: int = 0,
    ) -> list[Row]:
        """Replace these records by what `change(id, record)` gives; gives the new ones. What it raises changes nothing.

        With `make_current` no other session of `owner` is current afterwards. Raises LimitReached if the owner could
        not have `more` sessions beside those that there are.
        """

    def delete(self, session_ids: Collection[str], check: Callable[[str, Row | None], object]) -> None:
        """Remove these records, unless `check` raises something for one of them."""

    def require_room(self, owner: str | None, more: int, most: int) -> None:
        """Raises LimitReached if the owner could not have so many more sessions."""

    def touch(self, session_id: str, what: str, at: str) -> None:
        """Note that `what` happened in the session. Costs the same however many there are; never raises."""

    def touch_all(self, times: Mapping[str, str], what: str) -> None:
        """The same for several; an "import" happened when it says, and all else after what was noted before."""

    def newest(self) -> float:
        """The newest moment that was noted, in seconds since 1970; imports do not count."""

    def deleted_before(self, moment: float) -> list[str]:
        """The ids of all sessions that lie in the trash since before that moment, whosever they are."""

    def newest_deleted(self) -> float:
        """Since when the last deleted session lies in the trash, in seconds since 1970."""

    def lookup(self) -> Lookup:
        """The records as they are now, for many questions."""

    def claim(self, choose: Callable[[Lookup], Collection[str]], owner: str | None, most: int) -> None:
        """Claim ids for sessions of this owner. `choose` gives them, none of which may have a record.

        Raises LimitReached, and what `choose` raises.
        """

    def complete(self, rows: Collection[Row]) -> None:
        """Replace claims by these records."""

    def drop_claims(self, session_ids: Collection[str]) -> None:
        """Remove these claims."""

    def claimed(self) -> list[str]:
        """The ids that are claimed, by a running import or by one that broke off."""

    def version(self) -> object:
        """Differs from an earlier one when anything in the list may have changed, in any process."""

    @property
    def read_only(self) -> bool:
        """Whether a later version of the chat has written the records: then nothing may be changed."""

    @property
    def notice(self) -> str | None:
        """What a person should know of the state of the records, a sentence, or None."""

    @property
    def is_damaged(self) -> bool:
        """Whether some of the records are not understood."""

    def mend(self) -> None:
        """Write what was understood; a copy of what was not is kept."""


class Transcripts(Protocol):
    """The messages of sessions: records that are only ever added. One writer at a time is the caller's care."""

    def read(self, session_id: str) -> Branch:
        """The messages shown now; empty if there are none."""

    def messages(self, session_id: str) -> Iterable[Message]:
        """All messages, those of branches that are not shown among them, in the order they came."""

    def leaf_below(self, session_id: str, message_id: str) -> str | None:
        """The message that is shown last where this one is shown: of several answers the newest, and so on down."""

    def sent_with(self, session_id: str, key: str) -> list[tuple[Message, Message]]:
        """See `Tree.sent_with`."""

    def append(self, session_id: str, *messages: Message) -> None:
        """Add messages, in one step; they are durable when this returns."""

    def extend(self, session_id: str, more: Message) -> None:
        """Add to a message what `more`, which has its id, brings."""

    def select(self, session_id: str, message_id: str) -> None:
        """Show the branch that ends with this message from now on."""

    def put_all(self, transcripts: Mapping[str, bytes]) -> None:
        """Make transcripts of these JSON Lines, by session. Raises FileExistsError if there is one."""

    def sessions(self) -> Mapping[str, object]:
        """The sessions that have a transcript, with its version, those of late last."""

    def version(self, session_id: str) -> object:
        """Differs from an earlier one when the transcript has changed, in any process; None if there is none."""


class ReplyLog(Protocol):
    """The log of one reply, for its writer."""

    def write(self, *records: Mapping[str, Any]) -> None:
        """Add records; what has been written is not lost when the process dies."""

    def commit(self, message: Message, *, extends: bool) -> None:
        """Move the reply into the transcript, as a message or as more of one; the log is gone then."""

    def discard(self) -> None:
        """Remove the log: nothing has come of it."""

    def leave(self) -> None:
        """Write no more; whoever holds the lease next settles what is there. Nothing to do after the others."""


class ReplyLogs(Protocol):
    """The replies in flight, at most one for a session, and what a writer that died has left of one."""

    def begin(self, session_id: str, header: Mapping[str, Any]) -> ReplyLog:
        """Start the log of a reply. The caller holds the lease until it has ended the log."""

    def view(self, session_id: str) -> ReplyView | None:
        """The reply in flight or left behind, as it is now."""

    def sessions(self) -> Collection[str]:
        """The sessions that have a log."""

    def request(self, session_id: str, request: Mapping[str, Any]) -> None:
        """Leave word for whoever writes in this session."""

    def requests(self, session_id: str) -> Sequence[Mapping[str, Any]]:
        """What was requested since the reply began, in order."""

    def settle(self, session_id: str, unsaved: ReplyView | None = None) -> None:
        """Move what a dead writer left into the transcript, once. The caller holds the lease.

        `unsaved` is what this process knows of an answer that could not be written.
        """

    def version(self, session_id: str) -> object:
        """Differs from an earlier one when the log has changed, in any process; None if there is none."""


class Queue(Protocol):
    """The messages that wait in each session for its answer's end, in order. They outlive the process."""

    def items(self, session_id: str) -> tuple[QueuedMessage, ...]:
        """All that are there now."""

    def changing(self, session_id: str) -> AbstractContextManager[list[QueuedMessage]]:
        """The same as a list; what the block makes of it is there when the block ends, and nothing if it raises.

        Nobody else changes it meanwhile, in any process. Raises Locked if somebody does for too long.
        """

    def sessions(self) -> Collection[str]:
        """The sessions in which any are."""

    def version(self, session_id: str) -> object:
        """Differs from an earlier one when the queue has changed, in any process; None if there is none."""


class Leases(Protocol):
    """The right to write in a session: one holder at a time, across processes. It ends with the process."""

    def acquire(self, session_id: str) -> Release:
        """Acquire it; returns the function that releases it, from any thread. Raises SessionBusy."""

    def is_held(self, session_id: str) -> bool:
        """Whether anybody, in any process, holds it."""


class Bus(Protocol):
    """Wakes readers. What happens here wakes them at once, what happens elsewhere within `POLL_INTERVAL`."""

    def publish(self, session_id: str, *, urgent: bool) -> None:
        """Something changed in this session; `urgent` is what no reader should put off."""

    def publish_all(self, *, urgent: bool = True) -> None:
        """Something happened that concerns all: the server is about to end, say."""

    def listen(self, session_id: str) -> AbstractContextManager[Waiter]:
        """A waiter that is woken by what this process publishes about the session."""

    def follow(self, session_id: str, gone: Callable[[], bool]) -> AbstractContextManager[Waiter]:
        """A waiter that is woken by any change of the session or the list, and when `gone()` says so.

        Without a session ("") it is woken by changes of the list alone. Raises NoThreads.
        """

    def start(self) -> None:
        """Make sure that `follow` will work. Raises NoThreads."""

    @property
    def list_version(self) -> object:
        """The version of the list of sessions, as it was seen last."""

    def close(self) -> None:
        """Wake everybody, for good."""


class Search(Protocol):
    """The words of all messages."""

    def find(self, query: str, wanted: Callable[[str], bool], limit: int) -> Found:
        """The latest message of each session that has all the words of `query`, or words that begin so.

        `wanted` says which sessions count. May raise anything: what it knows is derived.
        """

    def forget_gone(self) -> None:
        """Let what was said in sessions that are gone go from here too; returns at once."""

    def close(self) -> None: ...


class Storage(Protocol):
    """One engine: everything that the chat keeps of its conversations."""

    @property
    def sessions(self) -> Sessions: ...
    @property
    def transcripts(self) -> Transcripts: ...
    @property
    def replies(self) -> ReplyLogs: ...
    @property
    def queue(self) -> Queue: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def bus(self) -> Bus: ...
    @property
    def search(self) -> Search: ...

    def has(self, session_id: str) -> bool:
        """Whether there is a transcript or a reply of that session, with or without a record."""

    def export(self, session_id: str) -> bytes:
        """The session's transcript as JSON Lines, with the answer that is not in it yet."""

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
