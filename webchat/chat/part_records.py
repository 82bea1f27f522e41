"""Parts of answers read from records, which may be hostile. Knows no agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    PICTURES,
    Block,
    Diff,
    Option,
    Output,
    Permission,
    PermissionStatus,
    Picture,
    Placed,
    Plan,
    PlanEntry,
    PlanStatus,
    Terminal,
    ToolCall,
    ToolKind,
    ToolStatus,
    Usage,
)


def placed_of(record: Mapping[str, Any]) -> Placed | None:
    """The part that a record tells of, within the limits above; None for anything else. The record may be hostile."""
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
    return Usage(int(used), int(size)) if _is_number(used) and _is_number(size) else None


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
