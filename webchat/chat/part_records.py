"""Writes and parses records of parts; what is parsed is not trusted. Knows no agent."""

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
"""Characters by which a terminal's text is found again in what it was before, and places that are looked at."""


def records_of(parts: Sequence[Part]) -> list[Record]:
    """The records of a message's parts besides its `content`, `reasoning` and `notes`: their order, and all others.

    Text and reasoning are given by their lengths in characters, and notes are taken one by one.
    """
    return [_reference(part) or fields_of(part) for part in parts]


def _reference(part: Part) -> Record | None:
    if isinstance(part, Text | Reasoning):
        return {"type": _NAMES[type(part)], "chars": len(part.text)}
    return {"type": "note"} if isinstance(part, Note) else None


def fields_of(part: Part) -> Record:
    """The whole part, for scripts."""
    if isinstance(part, Text | Reasoning | Note):
        return {"type": _NAMES[type(part)], "text": part.text}
    return part.record()


def parts_of(rows: object, content: str, reasoning: str, notes: Sequence[str]) -> tuple[Part, ...]:
    """The parts that `records_of` wrote; () if there is nothing to read.

    Nothing of `content`, `reasoning` and `notes` is lost if the records do not fit them: a person may have edited them.
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
    """A text that is taken piece by piece."""

    def __init__(self, part: type[Text | Reasoning], text: str) -> None:
        self._part, self._text, self._taken = part, text, 0

    def take(self, chars: object) -> list[Part]:
        """The next so many characters as a part; none if there are none."""
        start = self._taken
        self._taken = start + max(0, chars) if isinstance(chars, int) else start
        piece = self._text[start : self._taken]
        return [self._part(piece)] if piece else []


def usage_of_record(record: object) -> Usage | None:
    """What an answer says of the tokens it took; None if it says nothing."""
    return _usage(record) if isinstance(record, dict) else None


def place_of(record: Mapping[str, Any]) -> str:
    """Identifies a part in its answer; a later part with the same place replaces it."""
    return f"{record.get('type')} {record.get('id', '')}"


def changes_of(before: Record, after: Record) -> Record:
    """What `changed_record` needs to make `after` of `before`, records of one part.

    Of output that has only grown at its end it is the new text alone, since agents repeat all of it each time; what a
    terminal then lost at its beginning is not said.
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
        # Of a long text a terminal has the end.
        text = text[-LONGEST_OUTPUT:] if last.get("type") == "terminal" else text
        after["output"] = [*before["output"][:-1], {**last, "text": text}]
    return after


def _grown(before: Any, after: Any) -> str | None:  # noqa: ANN401  (output of a record, if it has any)
    """What was added to the last text of the output, if nothing else has changed."""
    if not before or not after or len(before) != len(after) or before[:-1] != after[:-1]:
        return None
    last, new = before[-1], after[-1]
    if new["type"] not in ("text", "terminal") or last["type"] != new["type"]:
        return None
    grown: str = new["text"]
    left = last["text"] if new["type"] == "text" else _left(last["text"], grown)
    return grown[len(left) :] if grown.startswith(left) else None


def _left(before: str, after: str) -> str:
    """What of a terminal's text is still there when it has grown beyond what is kept."""
    if len(after) < LONGEST_OUTPUT:
        return before
    ends = islice(_ends(before[-COMPARED:], after), MOST_PLACES)
    return next((before[-end:] for end in ends if after.startswith(before[-end:])), before)


def _ends(text: str, within: str) -> Iterator[int]:
    """Where the text ends in another, the last place first."""
    place = within.rfind(text)
    while place >= 0:
        yield place + len(text)
        place = within.rfind(text, 0, place + len(text) - 1)


def placed_of(record: Mapping[str, Any]) -> Placed | None:
    """Parses a record within the limits above; None if it is no part. The record is not trusted."""
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
