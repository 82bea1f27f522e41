"""A session's conversation, a reader's position in it, and the changes since that position."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from webchat.chat.message import Message
from webchat.chat.messages import Messages
from webchat.chat.tree import Fork

_POSITION = re.compile(r"(\d{1,15})\.([A-Za-z0-9_-]{0,128})\.(\d{1,15})(?:\.(\d{1,10}))?", re.ASCII)


@dataclass(frozen=True)
class Status:
    """What the model is doing before there is text; `progress` is from 0 to 1, None if unknown."""

    text: str
    progress: float | None = None


@dataclass(frozen=True)
class Position:
    """How far a reader has got: the transcript's revision, its last message, and how many messages it has.

    `trail` is a fingerprint of the messages' ids; None if the reader does not send one.
    """

    revision: int = 0
    message_id: str = ""
    count: int = 0
    trail: int | None = None

    def __str__(self) -> str:
        trail = "" if self.trail is None else f".{self.trail}"
        return f"{self.revision}.{self.message_id}.{self.count}{trail}"

    @classmethod
    def parse(cls, text: str | None) -> Position | None:
        """Parses the result of `str`; returns None for anything else."""
        match = _POSITION.fullmatch(text or "")
        if not match:
            return None
        return cls(int(match[1]), match[2], int(match[3]), int(match[4]) if match[4] else None)


DAMAGED = "Some lines of this conversation could not be read. Its file keeps them unchanged."
NEWER = "This conversation was written by a later version of the chat. You can read it here, but not change it."


@dataclass(frozen=True)
class Conversation:
    """A session's messages, the last of which may be a reply in flight or one left by a dead process.

    program: the name of another program that wrote it; such a conversation is read-only. remark: a notice for the
    reader. fork: see `Branch`.
    """

    messages: Messages = field(default_factory=Messages)
    revision: int = 0
    damaged: bool = False
    status: Status | None = None
    newer: bool = False
    program: str = ""
    remark: str = ""
    fork: Fork | None = field(default=None, compare=False)

    @property
    def notices(self) -> list[str]:
        """What a reader should know about it, a sentence or two each."""
        said = (DAMAGED if self.damaged else "", self.remark, NEWER if self.newer else "")
        return [notice for notice in said if notice]

    @property
    def last(self) -> Message | None:
        return self.messages[-1] if self.messages else None

    @property
    def position(self) -> Position:
        return self.position_at(self.last, self.revision) if self.last else Position(self.revision, trail=0)

    def position_at(self, message: Message, revision: int) -> Position:
        """The position of a reader that has everything up to this message and this revision of the transcript."""
        place = self.messages.place(message.id)
        assert place is not None  # noqa: S101
        return Position(revision, message.id, place + 1, self.messages.trail(place))

    def up_to(self, message_id: str) -> tuple[Message, ...]:
        """The messages up to and including that one; () if it is not on the shown branch."""
        place = self.messages.place(message_id)
        return () if place is None else self.messages[: place + 1]

    def find(self, message_id: str) -> Message | None:
        place = self.messages.place(message_id)
        return None if place is None else self.messages[place]


@dataclass(frozen=True)
class Change:
    """The changes since a reader's position.

    replaced: the reader discards what it has and reads the whole conversation. Otherwise `current` is the reader's last
    message, if that has changed, and `added` are the messages after it.
    """

    conversation: Conversation
    replaced: bool = False
    current: Message | None = None
    added: tuple[Message, ...] = ()


def change_since(conversation: Conversation, position: Position) -> Change | None:
    """The changes for a reader at `position`; None if there are none."""
    messages = conversation.messages
    first = messages.first_after(position.revision)
    new, at = messages[first:], position.count - 1
    known = messages[at].id if 0 <= at < len(messages) else ""
    is_known = known == position.message_id and position.trail in (None, messages.trail(at))
    if conversation.revision < position.revision or not is_known:
        return Change(conversation, replaced=True)
    if first == at:
        return Change(conversation, current=new[0], added=new[1:])
    if first != position.count:
        return Change(conversation, replaced=True)
    return Change(conversation, added=new) if new else None
