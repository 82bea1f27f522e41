"""Serialises parts to records and parses untrusted ones. Knows no agent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeGuard, cast, get_args

from webchat.chat.parts import (
    LONGEST_ID,
    LONGEST_INPUT,
    LONGEST_OUTPUT,
    LONGEST_PATH,
    LONGEST_TITLE,
    MOST_BLOCKS,
    MOST_ENTRIES,
    MOST_OPTIONS,
    MOST_PARTS,
    PICTURES,
    Block,
    Diff,
    Note,
    Option,
    Output,
    Part,
    Permission,
    PermissionStatus,
    Picture,
    Placed,
    Plan,
    PlanEntry,
    PlanStatus,
    Reasoning,
    Record,
    Terminal,
    Text,
    ToolCall,
    ToolKind,
    ToolStatus,
    Usage,
)

COMPARED, MOST_PLACES = 200, 100
"""For matching a terminal's output with its earlier state: the characters to look for, and the matches to try."""


def records_of(parts: Sequence[Part]) -> list[Record]:
    """The records that order a message's parts, and hold those that are not in `content`, `reasoning` and `notes`.

    Text and reasoning are recorded by length in characters; notes are consumed one by one.
    """
    return [_reference(part) or fields_of(part) for part in parts]


def _reference(part: Part) -> Record | None:
    if isinstance(part, Text | Reasoning):
        return {"type": _NAMES[type(part)], "chars": len(part.text)}
    return {"type": "note"} if isinstance(part, Note) else None


def fields_of(part: Part) -> Record:
    """The whole part as JSON fields, for scripts."""
    if isinstance(part, Text | Reasoning | Note):
        return {"type": _NAMES[type(part)], "text": part.text}
    return part.record()


def parts_of(rows: object, content: str, reasoning: str, notes: Sequence[str]) -> tuple[Part, ...]:
    """Parses the result of `records_of`; () if there is none.

    If the records do not match `content`, `reasoning` and `notes`, because somebody edited the file, nothing of those
    is lost.
    """
    if not isinstance(rows, list):
        return ()
    texts = {"text": _Rest(Text, content), "reasoning": _Rest(Reasoning, reasoning)}
    left = list(notes)
    parts: list[Part] = []
    for row in rows[: 4 * MOST_PARTS]:
        kind = str(row.get("type")) if isinstance(row, dict) else ""
        if kind in texts:
            parts += texts[kind].take(row.get("chars"))
        elif kind == "note":
            parts += [Note(left.pop(0))] if left else []
        elif kind:
            placed = placed_of(row)
            parts += [placed] if placed else []
    rest = [*texts["reasoning"].take(len(reasoning)), *texts["text"].take(len(content)), *map(Note, left)]
    return (*parts, *rest) if parts else ()


class _Rest:
    """The rest of a text that is consumed piece by piece."""

    def __init__(self, part: type[Text | Reasoning], text: str) -> None:
        self._part, self._text, self._taken = part, text, 0

    def take(self, chars: object) -> list[Part]:
        """The next `chars` characters as a list of one part, or of none if nothing is left."""
        start = self._taken
        self._taken = start + max(0, chars) if isinstance(chars, int) else start
        piece = self._text[start : self._taken]
        return [self._part(piece)] if piece else []


def usage_of_record(record: object) -> Usage | None:
    """The token usage that an answer recorded; None if it has none."""
    return _usage(record) if isinstance(record, dict) else None


def place_of(record: Mapping[str, Any]) -> str:
    """Identifies a part in its answer; a later part with the same place replaces it."""
    return f"{record.get('type')} {record.get('id', '')}"


def changes_of(before: Record, after: Record) -> Record:
    """The changes with which `changed_record` turns `before` into `after`, both records of one part.

    For output that has only grown, they hold just the new text, because agents repeat all of it each time. What a
    terminal dropped at the beginning is not recorded.
    """
    new = {name: value for name, value in after.items() if name in _ALWAYS or before.get(name) != value}
    grown = _grown(before.get("output"), new.get("output"))
    if grown is not None:
        del new["output"]
        new["more"] = grown
    return new


def changed_record(before: Record, changes: Mapping[str, Any]) -> Record:
    """The record of a part with these changes."""
    after = {**before, **changes}
    more, output = after.pop("more", None), before.get("output")
    last = output[-1] if isinstance(output, list) and output else None
    if isinstance(more, str) and isinstance(last, dict) and isinstance(last.get("text"), str):
        text = last["text"] + more
        # a terminal keeps the end of a long text
        text = text[-LONGEST_OUTPUT:] if last.get("type") == "terminal" else text
        after["output"] = [*before["output"][:-1], {**last, "text": text}]
    return after


def _grown(before: Any, after: Any) -> str | None:  # noqa: ANN401  (output of a record, if it has any)
    """The text appended to the last output, if nothing else has changed."""
    if not before or not after or len(before) != len(after) or before[:-1] != after[:-1]:
        return None
    last, new = before[-1], after[-1]
    if new["type"] not in ("text", "terminal") or last["type"] != new["type"]:
        return None
    grown: str = new["text"]
    left = last["text"] if new["type"] == "text" else _left(last["text"], grown)
    return grown[len(left) :] if grown.startswith(left) else None


def _left(before: str, after: str) -> str:
    """The part of a terminal's earlier text that is still kept after it has grown beyond the limit."""
    if len(after) < LONGEST_OUTPUT:
        return before
    ends = islice(_ends(before[-COMPARED:], after), MOST_PLACES)
    return next((before[-end:] for end in ends if after.startswith(before[-end:])), before)


def _ends(text: str, within: str) -> Iterator[int]:
    """Yields the end positions of `text` in another, the last first."""
    place = within.rfind(text)
    while place >= 0:
        yield place + len(text)
        place = within.rfind(text, 0, place + len(text) - 1)


def placed_of(record: Mapping[str, Any]) -> Placed | None:
    """Parses an untrusted record, within the limits above; None if it is not a part."""
    read = _READERS.get(str(record.get("type")))
    return read(record) if read else None


def _tool_call(record: Mapping[str, Any]) -> ToolCall | None:
    call_id = _text(record, "id", LONGEST_ID)
    if not call_id:
        return None
    blocks = [_block(row) for row in _rows(record, "output", MOST_BLOCKS)]
    seconds = record.get("seconds")
    return ToolCall(
        call_id,
        _text(record, "title", LONGEST_TITLE),
        cast(ToolKind, _one_of(record, "kind", get_args(ToolKind), "other")),
        cast(ToolStatus, _one_of(record, "status", get_args(ToolStatus), "pending")),
        _text(record, "input", LONGEST_INPUT),
        tuple(block for block in blocks if block),
        float(seconds) if _is_number(seconds) else None,
    )


def _block(row: Mapping[str, Any]) -> Block | None:
    kind = row.get("type")
    if kind == "text":
        return Output(_text(row, "text", LONGEST_OUTPUT))
    if kind == "terminal":
        return Terminal(_text(row, "text", LONGEST_OUTPUT))
    if kind == "diff":
        old = _text(row, "old", LONGEST_OUTPUT) if isinstance(row.get("old"), str) else None
        return Diff(_text(row, "path", LONGEST_PATH), old, _text(row, "new", LONGEST_OUTPUT))
    if kind == "picture" and row.get("media_type") in PICTURES and isinstance(row.get("data"), str):
        return Picture(row["media_type"], row["data"])
    return None


def _permission(record: Mapping[str, Any]) -> Permission | None:
    permission_id = _text(record, "id", LONGEST_ID)
    rows = _rows(record, "options", MOST_OPTIONS)
    options = [
        Option(_text(row, "id", LONGEST_ID), _text(row, "name", LONGEST_TITLE), _text(row, "kind", LONGEST_ID))
        for row in rows
    ]
    if not permission_id:
        return None
    return Permission(
        permission_id,
        _text(record, "title", LONGEST_TITLE),
        tuple(options),
        _text(record, "tool_call", LONGEST_ID),
        cast(PermissionStatus, _one_of(record, "status", get_args(PermissionStatus), "cancelled")),
        _text(record, "choice", LONGEST_ID) or None,
        _text(record, "by", LONGEST_ID) or None,
    )


def _plan(record: Mapping[str, Any]) -> Plan:
    statuses = get_args(PlanStatus)
    return Plan(
        tuple(
            PlanEntry(
                _text(row, "text", LONGEST_TITLE),
                cast(PlanStatus, _one_of(row, "status", statuses, "pending")),
                _text(row, "priority", LONGEST_ID),
            )
            for row in _rows(record, "entries", MOST_ENTRIES)
        )
    )


def _usage(record: Mapping[str, Any]) -> Usage | None:
    used, size = record.get("used"), record.get("size")
    read, written = (int(count) if _is_number(count := record.get(name)) else 0 for name in ("read", "written"))
    return Usage(int(used), int(size), read, written) if _is_number(used) and _is_number(size) else None


def _text(record: Mapping[str, Any], name: str, most: int) -> str:
    value = record.get(name)
    return value[:most] if isinstance(value, str) else ""


def _one_of(record: Mapping[str, Any], name: str, known: Sequence[str], otherwise: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) and value in known else otherwise


def _rows(record: Mapping[str, Any], name: str, most: int) -> list[Mapping[str, Any]]:
    found = record.get(name)
    return [row for row in found[:most] if isinstance(row, dict)] if isinstance(found, list) else []


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**53


_READERS: dict[str, Callable[[Mapping[str, Any]], Placed | None]] = {
    "tool_call": _tool_call,
    "permission": _permission,
    "plan": _plan,
    "usage": _usage,
}
_NAMES: dict[type, str] = {Text: "text", Reasoning: "reasoning", Note: "note"}
_ALWAYS = ("type", "id")
"""The keys that identify the part of a change."""
