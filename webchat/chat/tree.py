"""The tree of a conversation's messages, built record by record, and the branch of it that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from webchat.chat.message import Message, message_of
from webchat.chat.messages import Messages

FORMAT = 1
"""Of the transcripts. A later one is told by a record {"type": "format", "version"}; ours have none."""


@dataclass(frozen=True)
class Branch:
    """The messages that are shown, oldest first; `revision` is how many records the transcript has.

    damaged: some of the file was not understood. torn: something stands behind the last line that is no whole record;
    somebody may be writing it. newer: it says that a later version has written it.
    """

    messages: Messages = field(default_factory=Messages)
    revision: int = 0
    damaged: bool = False
    newer: bool = False
    torn: bool = False

    @property
    def leaf(self) -> Message | None:
        return self.messages[-1] if self.messages else None


@dataclass
class Tree:
    """What the records of one file say so far. A message without `parent` follows the one before it."""

    messages: dict[str, Message] = field(default_factory=dict)
    children: dict[str | None, list[str]] = field(default_factory=dict)
    keyed: dict[str, list[str]] = field(default_factory=dict)
    leaf: str | None = None
    revision: int = 0
    damaged: bool = False
    torn: bool = False
    newer: bool = False
    shown: Messages = field(default_factory=Messages)
    """The branch as it was last shown."""
    outdated: int | None = None
    """From where on `shown` is no longer right; None if all of it is."""

    def add(self, record: Mapping[str, Any] | None, name: str = "") -> None:
        """Take in the next record, None for one that cannot be read. `name` is the id of a message that has none."""
        self.revision += 1
        kind = record.get("type", "message") if record is not None else None
        if record is None:
            self.damaged = True
        elif kind == "message":
            self._add_message(message_of(record, self.leaf, name, self.revision))
        elif kind in ("extend", "amend"):
            self._change(record, amends=kind == "amend")
        elif kind == "select" and str(record.get("id")) in self.messages:
            self._show(str(record["id"]))
        elif kind == "format":
            self.newer = self.newer or record.get("version") != FORMAT
        # Records of types from later versions are no damage.

    def _add_message(self, message: Message | None) -> None:
        if message is None or message.id in self.messages:
            self.damaged = True
            return
        if message.parent is not None and message.parent not in self.messages:
            message = replace(message, parent=self.leaf)
        self.messages[message.id] = message
        siblings = self.children.setdefault(message.parent, [])
        for sibling in siblings:
            self._outdate(sibling)
        siblings.append(message.id)
        self._note_key(message)
        if self.outdated is None and message.parent == self.leaf and len(siblings) == 1:
            self.shown, self.leaf = self.shown.extended(message), message.id
        else:
            self._show(message.id)

    def _change(self, record: Mapping[str, Any], *, amends: bool) -> None:
        """Append the record's text to its message, or put it in the message's place."""
        message = self.messages.get(str(record.get("id")))
        # The rest of the record reads as a message of its own would.
        more = message_of({**record, "type": "message", "role": "assistant"}, None, "", self.revision)
        if message is None or more is None:
            self.damaged = True
            return
        self.messages[message.id] = message.amended_by(more) if amends else message.extended_by(more)
        self._outdate(message.id)
        self._note_key(replace(more, id=message.id))

    def _note_key(self, message: Message) -> None:
        if message.key:
            self.keyed.setdefault(message.key, []).append(message.id)

    def leaf_below(self, message_id: str) -> str | None:
        """The message that is shown last where this one is shown: of several answers the newest, and so on down."""
        if message_id not in self.messages:
            return None
        seen = {message_id}
        while self.children.get(message_id) and self.children[message_id][-1] not in seen:
            message_id = self.children[message_id][-1]
            seen.add(message_id)
        return message_id

    def sent_with(self, key: str) -> list[tuple[Message, Message]]:
        """The questions that came with this key, on whatever branch, each with its latest answer, or itself again.

        Where an answer was asked for with it, that one and its question.
        """
        found = [self.messages[message_id] for message_id in self.keyed.get(key, ())]
        return [
            (message, self.messages[self.children.get(message.id, [message.id])[-1]])
            if message.role == "user"
            else (self.messages.get(message.parent or "", message), message)
            for message in found
        ]

    def branch(self) -> Branch:
        if self.outdated is not None:
            self.shown, self.outdated = self._shown_anew(self.outdated), None
        return Branch(self.shown, self.revision, self.damaged, self.newer, self.torn)

    def _show(self, leaf: str) -> None:
        """Show the branch that ends with this message."""
        self.leaf = leaf
        self.outdated = len(self.shown) if self.outdated is None else self.outdated

    def _outdate(self, message_id: str) -> None:
        """This message is to be shown otherwise, if it is shown."""
        place = self.shown.place(message_id)
        if place is not None:
            self.outdated = place if self.outdated is None else min(place, self.outdated)

    def _shown_anew(self, right: int) -> Messages:
        """The branch now; the first `right` messages that were shown are right wherever it goes through them."""
        new: list[Message] = []
        here, left = self.leaf, len(self.messages)
        kept = 0
        while here in self.messages and left:  # `left`: a file edited by hand may have a loop
            place = self.shown.place(here)
            if place is not None and place < right:
                kept = place + 1
                break
            message = self.messages[here]
            siblings = self.children[message.parent]
            new.append(replace(message, siblings=tuple(siblings)) if len(siblings) > 1 else message)
            here, left = message.parent, left - 1
        return Messages((*self.shown[:kept], *reversed(new)))
