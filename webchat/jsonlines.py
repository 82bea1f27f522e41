"""JSON Lines that may be torn or damaged. Knows no record's meaning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def dump(record: Mapping[str, Any]) -> bytes:
    """One record as a line without its newline; lone surrogates, which UTF-8 cannot hold, become "?"."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def parse(data: bytes) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Each whole line of `data` as (offset of its end, record); None for a line that is not a JSON object.

    A last line without a newline is left for later: its writer may not be done.
    """
    end = 0
    while (newline := data.find(b"\n", end)) >= 0:
        line, end = data[end:newline], newline + 1
        if line.strip():
            yield end, parse_line(line)


def load(data: bytes) -> Any:  # noqa: ANN401
    """JSON from a file. A lone surrogate, which no page can hold, becomes "?". Raises ValueError, RecursionError."""
    value = json.loads(data)
    if b"\\u" in data or b"\xed" in data:  # the two ways to write one
        value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    return value


def parse_line(line: bytes) -> dict[str, Any] | None:
    try:
        record = load(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
