"""What an agent's question is about: the input and output of its tool call, within bounds. Knows no page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from webchat.chat.parts import Record

MOST_SHOWN = 16_000
"""Characters of the input and the output together."""
AROUND = 3
"""Unchanged lines that are kept before and after what a diff changes."""


def about(call_id: str, parts: Iterable[Mapping[str, Any]]) -> Record:
    """The fields `input`, `output` and `left_out` of a question about the call with this id, among an answer's records.

    `output` has the call's texts, terminal output and diffs; a diff is cut to the lines around its changes. `left_out`
    is the number of characters beyond `MOST_SHOWN`.
    """
    calls = (part for part in parts if part["type"] == "tool_call" and part["id"] == call_id)
    call: Mapping[str, Any] = next(calls, {})
    room = _Room(MOST_SHOWN)
    given = room.fit(call.get("input", ""))
    blocks = [block for block in call.get("output", ()) if block["type"] != "picture"]
    return {"input": given, "output": list(_fitted(blocks, room)), "left_out": room.left_out}


class _Room:
    """Counts the characters that are still shown."""

    def __init__(self, characters: int) -> None:
        self._characters, self.left_out = characters, 0

    def fit(self, text: str) -> str:
        shown = text[: self._characters]
        self._characters -= len(shown)
        self.left_out += len(text) - len(shown)
        return shown


def _fitted(blocks: Sequence[Mapping[str, Any]], room: _Room) -> Iterator[Record]:
    for block in blocks:
        fields = dict(_around_changes(block) if block["type"] == "diff" else block)
        names = [name for name in ("path", "old", "new", "text") if isinstance(fields.get(name), str)]
        fields |= {name: room.fit(fields[name]) for name in names}
        if any(fields[name] for name in names):
            yield fields


def _around_changes(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """The diff without the lines that both texts begin and end with, except the nearest."""
    if block["old"] is None:
        return block
    old, new = block["old"].splitlines(keepends=True), block["new"].splitlines(keepends=True)
    same = max(0, _same(old, new) - AROUND)
    old, new = old[same:], new[same:]
    end = max(0, _same(old[::-1], new[::-1]) - AROUND)
    return {**block, "old": "".join(old[: len(old) - end]), "new": "".join(new[: len(new) - end])}


def _same(old: Sequence[str], new: Sequence[str]) -> int:
    """How many lines both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
