"""Converts a backend's pieces into records of a reply's log. Knows no file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from webchat.backends import Event, Piece
from webchat.chat.parts import Placed, Usage
from webchat.chat.plain import without_surrogates

STOPPING: Mapping[str, Any] = {"s": "Stopping at the model's next token", "p": None}
"""The status if a backend does not stop at once."""
MOST_TOKENS = 2**40
_PLACED = get_args(Placed)


def record_of(piece: Piece) -> dict[str, Any]:
    """The log's record for a piece; empty if there is nothing to write. Raises TypeError for an invalid piece."""
    if isinstance(piece, str):
        return {"d": without_surrogates(piece)} if piece else {}
    if isinstance(piece, _PLACED):
        return {"part": _part(piece)}
    if not isinstance(piece, Event):
        raise TypeError(f"a backend gave a {type(piece).__name__}, not text, an Event or a part of an answer")
    if not isinstance(piece.text, str) or not isinstance(piece.progress, int | float | None):
        raise TypeError(f"a backend gave an Event of {piece.text!r:.50} and {piece.progress!r:.50}")
    if piece.kind == "status":
        return {"s": without_surrogates(piece.text), "p": piece.progress}
    if piece.kind == "usage":
        usage = _counted(piece.data)
        return {"part": usage.record()} if usage else {}
    if piece.kind == "reasoned":
        return {"u": True}
    key = {"reasoning": "r", "note": "n", "tool": "n", "model": "model"}.get(piece.kind)
    return {key: without_surrogates(piece.text)} if key else {}


def _counted(data: Mapping[str, Any]) -> Usage | None:
    """The token counts in a model server's usage; None if it has none."""
    read, written, size = (
        count if isinstance(count := data.get(name), int) and 0 <= count < MOST_TOKENS else 0
        for name in ("prompt_tokens", "completion_tokens", "context")
    )
    return Usage(read + written, size, read, written) if read or written else None


def _part(part: Placed) -> dict[str, Any]:
    try:
        record: dict[str, Any] = _cleaned(part.record())
    except (AttributeError, TypeError) as error:
        raise TypeError(f"a backend gave a {type(part).__name__} with fields of the wrong types: {error}") from error
    return record


def _cleaned(value: Any) -> Any:  # noqa: ANN401  (whatever a record has)
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, dict):
        return {key: _cleaned(each) for key, each in value.items()}
    return [_cleaned(each) for each in value] if isinstance(value, list) else value


def size_of(value: Any) -> int:  # noqa: ANN401
    """The approximate size of a record's texts in bytes."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "replace"))
    if isinstance(value, dict):
        return sum(map(size_of, value.values()))
    return sum(map(size_of, value)) if isinstance(value, list) else 0


def fitting(record: dict[str, Any], room: int) -> dict[str, Any]:
    """The record of a text, a note or a status, cut to so many bytes."""
    key = next(iter(record))
    return {**record, key: record[key].encode("utf-8", "replace")[: max(0, room)].decode("utf-8", "ignore")}


def joined(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same records with consecutive texts joined, and only the last of consecutive statuses."""
    result: list[dict[str, Any]] = []
    for record in records:
        if result and record.keys() == result[-1].keys() == {"d"}:
            result[-1] = {"d": result[-1]["d"] + record["d"]}
        elif result and "s" in record and "s" in result[-1]:
            result[-1] = record
        else:
            result.append(record)
    return result
