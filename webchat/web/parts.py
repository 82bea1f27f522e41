"""The layout of an agent's answer: single items, runs of items, and which of them fold. Knows no HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby

from webchat.chat.asked import about
from webchat.chat.message import Message
from webchat.chat.parts import Part, Permission, Reasoning, ToolCall, Usage

FOLDED = 4
"""The least number of finished cards in a row that fold into one line."""
HARMLESS = ("read", "search", "think", "fetch")
"""Kinds of tools without side effects."""
LOOKED_AT = 4
"""How many of the last messages are searched for the context's usage: an answer that broke off may not have it."""


_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.:-]*", re.ASCII)


@dataclass(frozen=True)
class Item:
    """One item of an answer: a part with its number in the answer, and the questions about it.

    `run` is the number of the first item of a run, whose items may fold together; None for a single item. `grows` is
    true for the last item while the answer is being written.
    """

    number: int
    part: Part
    run: int | None = None
    asked: tuple[Permission, ...] = ()
    grows: bool = False

    @property
    def is_asking(self) -> bool:
        return any(asked.is_open for asked in self.asked)

    @property
    def is_finished(self) -> bool:
        """Whether the item may fold into a run. Failures stay visible."""
        return self.part.status == "done" and not self.is_asking if isinstance(self.part, ToolCall) else not self.grows

    @property
    def is_open(self) -> bool:
        """Whether its card is open at first."""
        is_busy = isinstance(self.part, ToolCall) and self.part.status in ("running", "failed")
        return is_busy or self.is_asking


def numbered(message: Message) -> dict[int, Part]:
    """The parts by number; later parts never change it. The context's usage has no number."""
    return dict(enumerate(part for part in message.parts if not isinstance(part, Usage)))


def items_of(message: Message) -> list[Item]:
    """The answer's parts as items. A question is shown in the card of its tool."""
    parts = numbered(message)
    cards = {part.id: number for number, part in parts.items() if isinstance(part, ToolCall)}
    asked: dict[int, list[Permission]] = {}
    for part in parts.values():
        if isinstance(part, Permission) and part.tool_call in cards:
            asked.setdefault(cards[part.tool_call], []).append(part)
    items: list[Item] = []
    last = len(parts) - 1 if message.in_flight else -1
    run = None
    for number, part in parts.items():
        if isinstance(part, Permission) and part.tool_call in cards:
            continue
        # Reasoning between two tools belongs to their run.
        if isinstance(part, ToolCall):
            run = number if run is None else run
        elif not isinstance(part, Reasoning):
            run = None
        items.append(Item(number, part, run, tuple(asked.get(number, ())), number == last))
    return items


def runs_of(items: Iterable[Item]) -> Iterator[tuple[int | None, list[Item]]]:
    """The items grouped by run, with the run's number; None for a single item."""
    for run, group in groupby(items, key=lambda item: item.run):
        yield run, [*group]


def folded(items: Iterable[Item]) -> int:
    """How many of a run's cards fold into one line; 0 if they are too few."""
    count = sum(isinstance(item.part, ToolCall) and item.is_finished for item in items)
    return count if count >= FOLDED else 0


def name_of(permission: Permission) -> str:
    """A question's name in URLs: its id, if a URL can contain it, since agents choose the id."""
    return permission.id if _SAFE.fullmatch(permission.id) else sha256(permission.id.encode()).hexdigest()[:32]


def asked_in(message: Message, permission_id: str) -> Item | None:
    """The item that contains a question."""
    items = items_of(message)
    return next((item for item in items if permission_id in [asked.id for asked in _questions_in(item)]), None)


def _questions_in(item: Item) -> tuple[Permission, ...]:
    return (item.part,) if isinstance(item.part, Permission) else item.asked


def usage_of(messages: Sequence[Message]) -> Usage | None:
    """The conversation's usage of the model's context, from one of its last answers; None if unknown."""
    usages = (message.usage for message in reversed(messages[-LOOKED_AT:]))
    return next((usage for usage in usages if usage and (usage.size or usage.read)), None)


def has_effects(message: Message) -> bool:
    """Whether tools with side effects were used: another answer would not undo them."""
    return any(isinstance(part, ToolCall) and part.kind not in HARMLESS for part in message.parts)


def waiting_fields(message: Message | None) -> dict[str, object] | None:
    """The question for which the answer waits, with what it is about; None if there is none."""
    asked = next(iter(message.questions), None) if message else None
    if asked is None:
        return None
    record = asked.record()
    named = {name: record[name] for name in ("id", "title", "tool_call", "options")}
    calls = [part.record() for part in message.parts if isinstance(part, ToolCall)] if message else []
    return named | about(asked.tool_call, calls)
