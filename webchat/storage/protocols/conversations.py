"""The protocols of a storage engine for conversations: transcripts, replies in flight, queued messages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from webchat.chat.message import Message
from webchat.chat.queued import QueuedMessage
from webchat.chat.reply import ReplyView
from webchat.chat.tree import Branch


class Transcripts(Protocol):
    """The messages of sessions: append-only records. The caller ensures that there is one writer at a time."""

    def read(self, session_id: str) -> Branch:
        """The messages shown now; empty if there are none."""

    def messages(self, session_id: str) -> Iterable[Message]:
        """All messages, also those on branches that are not shown, in the order they were added."""

    def leaf_below(self, session_id: str, message_id: str) -> str | None:
        """The last message of the branch with this one: of several answers always the newest."""

    def sent_with(self, session_id: str, key: str) -> list[tuple[Message, Message]]:
        """See `Tree.sent_with`."""

    def append(self, session_id: str, *messages: Message) -> None:
        """Add messages, atomically; they are durable when this returns."""

    def extend(self, session_id: str, more: Message) -> None:
        """Append the text and parts of `more` to the message with its id."""

    def amend(self, session_id: str, new: Message) -> None:
        """Replace the content of the message with the id of `new`; its place in the tree stays."""

    def select(self, session_id: str, message_id: str) -> None:
        """From now on show the branch that ends with this message."""

    def put_all(self, transcripts: Mapping[str, bytes]) -> None:
        """Create transcripts from JSON Lines, by session. Raises FileExistsError if one exists."""

    def sessions(self) -> Mapping[str, object]:
        """The sessions that have a transcript, with its version, the most recently written last."""

    def size(self, session_id: str) -> int:
        """Bytes of the transcript; 0 if there is none."""

    def version(self, session_id: str) -> object:
        """Differs from an earlier one when the transcript has changed, in any process; None if there is none."""


class ReplyLog(Protocol):
    """The log of one reply, for its writer."""

    def write(self, *records: Mapping[str, Any]) -> None:
        """Add records; they survive the process."""

    def commit(self, message: Message, *, extends: bool) -> None:
        """Move the reply into the transcript, as a message or as more of one; the log is gone then."""

    def discard(self) -> None:
        """Remove the log, and with it the reply."""

    def leave(self) -> None:
        """Stop writing; the next holder of the lease settles what is there. A no-op after `commit` or `discard`."""


class ReplyLogs(Protocol):
    """The replies in flight, at most one for each session, and those that dead writers have left."""

    @property
    def shares_writes(self) -> bool:
        """Whether writes of several threads at once cost little more than one.

        A write may then wait a few milliseconds for others, but not if the last one was by the same thread, alone.
        """

    def begin(self, session_id: str, header: Mapping[str, Any]) -> ReplyLog:
        """Start the log of a reply. The caller holds the lease until it has ended the log."""

    def view(self, session_id: str) -> ReplyView | None:
        """The reply in flight or left behind."""

    def sessions(self) -> Collection[str]:
        """The sessions that have a log."""

    def request(self, session_id: str, request: Mapping[str, Any]) -> None:
        """Leave a request for the process that writes in this session."""

    def requests(self, session_id: str) -> Sequence[Mapping[str, Any]]:
        """The requests since the reply began, in order."""

    def asked(self, session_ids: Collection[str]) -> Collection[str]:
        """Those of these sessions, or more of them, that have requests: cheap, to be called often."""

    def settle(self, session_id: str, unsaved: ReplyView | None = None) -> None:
        """Move what a dead writer has left into the transcript, once. The caller holds the lease.

        `unsaved` is what this process knows of an answer that could not be written.
        """

    def version(self, session_id: str) -> object:
        """Differs from an earlier one when the log has changed, in any process; None if there is none."""


class Queue(Protocol):
    """Each session's queue: messages that wait for an answer's end, in order. It outlives the process."""

    def items(self, session_id: str) -> tuple[QueuedMessage, ...]:
        """The queue's messages."""

    def changing(self, session_id: str) -> AbstractContextManager[list[QueuedMessage]]:
        """The queue as a list that the block may change; it is saved when the block ends, unless it raises.

        Locked for all processes. Raises Locked if somebody else holds the lock for too long.
        """

    def sessions(self) -> Collection[str]:
        """The sessions whose queue is not empty."""

    def version(self, session_id: str) -> object:
        """Differs from an earlier one when the queue has changed, in any process; None if there is none."""
