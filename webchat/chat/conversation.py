"""One session's conversation, a reader's position in it, and what has changed since that position."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from webchat.chat.message import Message
from webchat.chat.messages import Messages

_POSITION = re.compile(r"(\d{1,15})\.([A-Za-z0-9_-]{0,128})\.(\d{1,15})(?:\.(\d{1,10}))?", re.ASCII)


@dataclass(frozen=True)
class Status:
    """What the model is doing while no text comes; `progress` from 0 to 1 if known."""

    text: str
    progress: float | None = None


@dataclass(frozen=True)
class Position:
    """How far a reader is: the transcript's revision, the last message shown, and how many are shown up to it.

    `trail` is a fingerprint of their ids; None for a reader that does not send it.
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
        """Parses what `str` wrote; None for anything else."""
        match = _POSITION.fullmatch(text or "")
        if not match:
            return None
        return cls(int(match[1]), match[2], int(match[3]), int(match[4]) if match[4] else None)


@dataclass(frozen=True)
class Conversation:
    """One session's messages, the last of which may be a reply in flight or left behind.

    program: what another program is called that has written it; such a conversation can be read, and not changed.
    remark: what its reader should know of it.
    """

    messages: Messages = field(default_factory=Messages)
    revision: int = 0
    damaged: bool = False
    status: Status | None = None
    newer: bool = False
    program: str = ""
    remark: str = ""

    @property
    def last(self) -> Message | None:
        return self.messages[-1] if self.messages else None

    @property
    def position(self) -> Position:
        return self.position_at(self.last, self.revision) if self.last else Position(self.revision, trail=0)

    def position_at(self, message: Message, revision: int) -> Position:
        """The position of a reader that has all up to this message, and the transcript up to this revision."""
        place = self.messages.place(message.id)
        assert place is not None  # noqa: S101
        return Position(revision, message.id, place + 1, self.messages.trail(place))

    def up_to(self, message_id: str) -> tuple[Message, ...]:
        """The messages up to and with that one; () if it is not shown."""
        place = self.messages.place(message_id)
        return () if place is None else self.messages[: place + 1]

    def find(self, message_id: str) -> Message | None:
        place = self.messages.place(message_id)
        return None if place is None else self.messages[place]


@dataclass(frozen=True)
class Change:
    """What has changed for a reader since its position.

    replaced: the reader discards what it has and takes the whole conversation. Otherwise `current` is its last message,
    if that has changed, and `added` are the ones after it.
    """

    conversation: Conversation
    replaced: bool = False
    current: Message | None = None
    added: tuple[Message, ...] = ()


def change_since(conversation: Conversation, position: Position) -> Change | None:
    """What has changed for a reader at `position`; None if nothing has."""
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
