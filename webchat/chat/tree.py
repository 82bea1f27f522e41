"""The tree of a conversation's messages, built record by record, and the branch that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from webchat.chat.message import Message, message_of
from webchat.chat.messages import Messages

FORMAT = 1
"""The transcripts' format. Later formats are announced by a record {"type": "format", "version"}; this one has none."""


class Fork(NamedTuple):
    """The first message of the new branch that the one before had not, and the revision that showed it."""

    message_id: str
    revision: int


@dataclass(frozen=True)
class Branch:
    """The shown messages, oldest first; `revision` is the number of records in the transcript.

    damaged: a part of the file could not be read. torn: after the last line there is an incomplete record, which may
    still be in writing. newer: a later version has written it. fork: where it was last replaced by another branch, as
    far as that was noticed by reading: a hint for pages that show the one before.
    """

    messages: Messages = field(default_factory=Messages)
    revision: int = 0
    damaged: bool = False
    newer: bool = False
    torn: bool = False
    fork: Fork | None = field(default=None, compare=False)

    @property
    def leaf(self) -> Message | None:
        return self.messages[-1] if self.messages else None


@dataclass
class Tree:
    """The state after the records of a file so far. A message without `parent` follows the one before it."""

    messages: dict[str, Message] = field(default_factory=dict)
    children: dict[str | None, list[str]] = field(default_factory=dict)
    keyed: dict[str, list[str]] = field(default_factory=dict)
    leaf: str | None = None
    revision: int = 0
    damaged: bool = False
    torn: bool = False
    newer: bool = False
    shown: Messages = field(default_factory=Messages)
    """The branch as last computed."""
    outdated: int | None = None
    """The index from which `shown` is out of date; None if it is up to date."""
    fork: Fork | None = None
    """See `Branch`."""

    def add(self, record: Mapping[str, Any] | None, name: str = "") -> None:
        """Add the next record, None if it cannot be read. `name` is the id for a message without one."""
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
        # Record types of later versions are not damage.

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
        """Apply a record that extends a message or replaces it."""
        message = self.messages.get(str(record.get("id")))
        # The rest of the record is parsed like a message.
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
        """The last message of the branch through this one that follows the newest of several answers."""
        if message_id not in self.messages:
            return None
        seen = {message_id}
        while self.children.get(message_id) and self.children[message_id][-1] not in seen:
            message_id = self.children[message_id][-1]
            seen.add(message_id)
        return message_id

    def sent_with(self, key: str) -> list[tuple[Message, Message]]:
        """The questions sent with this key, on any branch, each with its latest answer, or with itself if it has none.

        If the key was used to ask for an answer again, that answer with its question.
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
        return Branch(self.shown, self.revision, self.damaged, self.newer, self.torn, self.fork)

    def _show(self, leaf: str) -> None:
        """Show the branch that ends with this message."""
        self.leaf = leaf
        self.outdated = len(self.shown) if self.outdated is None else self.outdated

    def _outdate(self, message_id: str) -> None:
        """Mark the shown branch as out of date from this message on, if it is shown."""
        place = self.shown.place(message_id)
        if place is not None:
            self.outdated = place if self.outdated is None else min(place, self.outdated)

    def _shown_anew(self, right: int) -> Messages:
        """The current branch. The first `right` messages of the last one are still valid as far as it shares them."""
        new: list[Message] = []
        here, left = self.leaf, len(self.messages)
        kept = 0
        while here in self.messages and left:  # `left` ends loops, which a file edited by hand may have
            place = self.shown.place(here)
            if place is not None and place < right:
                kept = place + 1
                break
            message = self.messages[here]
            siblings = self.children[message.parent]
            new.append(replace(message, siblings=tuple(siblings)) if len(siblings) > 1 else message)
            here, left = message.parent, left - 1
        if new and kept < len(self.shown) and self.shown[kept].id != new[-1].id:
            self.fork = Fork(new[-1].id, self.revision)
        return Messages((*self.shown[:kept], *reversed(new)))
