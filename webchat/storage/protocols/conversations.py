"""What the chat needs of a storage engine for what is said: transcripts, replies in flight, waiting messages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from webchat.chat.message import Message
from webchat.chat.queued import QueuedMessage
from webchat.chat.reply import ReplyView
from webchat.chat.tree import Branch


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

    def size(self, session_id: str) -> int:
        """Bytes of the transcript; 0 if there is none."""

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
