"""Rows of JSON Lines that a program may be appending to: the last one may be incomplete, and any may be damaged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from webchat.agent_logs.values import Row
from webchat.programs.untouched import head, tail

LOOKED_AT = 2**18
"""Bytes at each end of a file that are read to describe it."""
FEW_ROWS, LONGEST_BEGINNING = 20, 2**23
"""With fewer rows than these at the beginning so many bytes are read there: the first message may have pictures."""
END_ONLY = "This conversation is very long. Only its end is shown."


def row_of(line: bytes) -> Row | None:
    """Parses a line; None if it is not a row."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def first_rows(path: Path) -> Iterator[Row]:
    """The rows at the file's beginning. Raises OSError."""
    lines = head(path, LOOKED_AT).split(b"\n")
    if len(lines) <= FEW_ROWS and sum(map(len, lines)) + len(lines) > LOOKED_AT:
        lines = head(path, LONGEST_BEGINNING).split(b"\n")
    return (row for line in lines if (row := row_of(line)) is not None)


def last_rows(path: Path) -> Iterator[Row]:
    """The rows at its end, last one first. Raises OSError."""
    content, _ = tail(path, LOOKED_AT)
    return (row for line in reversed(content.split(b"\n")) if (row := row_of(line)) is not None)


def all_rows(path: Path, *, may_grow: bool = True) -> tuple[list[Row], bool, bool]:
    """All rows, whether all lines are rows, and whether the whole file was read. Raises OSError.

    In a file that `may_grow` the last line may still be incomplete.
    """
    content, is_whole = tail(path)
    lines = content.split(b"\n")
    lines = lines if is_whole else lines[1:]
    # What follows the last line end is still being written, or was cut off.
    rows = [row_of(line) for line in lines[:-1] if line.strip()]
    last = row_of(lines[-1]) if lines and lines[-1].strip() else None
    is_cut = last is None and bool(lines and lines[-1].strip()) and not may_grow
    whole = [row for row in (*rows, last) if row is not None]
    return whole, None not in rows and not is_cut, is_whole
