"""One session as it looks now, a reader's position in it, and what a reader at a position lacks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from webchat.chat.message import Message
from webchat.chat.messages import Messages

_POSITION = re.compile(r"(\d{1,15})\.([A-Za-z0-9_-]{0,128})\.(\d{1,15})", re.ASCII)


@dataclass(frozen=True)
class Status:
    """What is being done before or between pieces of text; `progress` from 0 to 1 where it is known."""

    text: str
    progress: float | None = None


@dataclass(frozen=True)
class Position:
    """How far a reader is: the transcript's revision, the last message shown, and how many are shown up to it."""

    revision: int = 0
    message_id: str = ""
    count: int = 0

    def __str__(self) -> str:
        return f"{self.revision}.{self.message_id}.{self.count}"

    @classmethod
    def parse(cls, text: str | None) -> Position | None:
        """The position that `str` wrote, or None for anything else."""
        match = _POSITION.fullmatch(text or "")
        return cls(int(match[1]), match[2], int(match[3])) if match else None


@dataclass(frozen=True)
class Conversation:
    """One session's messages as they are now, the reply in flight or left behind among them as the last."""

    messages: Messages = field(default_factory=Messages)
    revision: int = 0
    damaged: bool = False
    status: Status | None = None
    newer: bool = False

    @property
    def last(self) -> Message | None:
        return self.messages[-1] if self.messages else None

    @property
    def position(self) -> Position:
        return Position(self.revision, self.last.id if self.last else "", len(self.messages))

    def up_to(self, message_id: str) -> tuple[Message, ...]:
        """The messages up to and with that one; () where it is not shown."""
        place = self.messages.place(message_id)
        return () if place is None else self.messages[: place + 1]

    def find(self, message_id: str) -> Message | None:
        place = self.messages.place(message_id)
        return None if place is None else self.messages[place]


@dataclass(frozen=True)
class Change:
    """What a reader at some position does not have yet.

    replaced: nothing that it has counts, it takes the whole conversation. Otherwise `current` is the message that it
    showed last, where that has changed, and `added` are the ones behind it.
    """

    conversation: Conversation
    replaced: bool = False
    current: Message | None = None
    added: tuple[Message, ...] = ()


def change_since(conversation: Conversation, position: Position) -> Change | None:
    """What has changed for a reader at `position`; None where nothing has."""
    messages = conversation.messages
    first = messages.first_after(position.revision)
    new, at = messages[first:], position.count - 1
    known = messages[at].id if 0 <= at < len(messages) else ""
    if conversation.revision < position.revision or known != position.message_id:
        return Change(conversation, replaced=True)
    if first == at:
        return Change(conversation, current=new[0], added=new[1:])
    if first != position.count:
        return Change(conversation, replaced=True)
    return Change(conversation, added=new) if new else None
