"""Reads the JSON values of a file: the elements of its list, its lines, or its single value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import IO, Any

from webchat.archive.bounds import PIECE, Bounds
from webchat.archive.elements import Fault, elements, fault, skip_blanks
from webchat.archive.titles_in_json import title_in

HEAD = PIECE
"""Bytes at the beginning that decide how the file is laid out."""
_INNER_LIST = re.compile(rb'\{\s*"conversations"\s*:\s*(?=\[)')
"""The beginning of an object that holds all conversations in a list."""


def values(file: IO[bytes], bounds: Bounds, problem: Callable[[str], None]) -> Iterator[Any]:
    """The values of a JSON file, which begins with "[" or "{"; a Fault for each that is left out.

    `problem` receives what is wrong with the file as a whole.
    """
    skip_blanks(file)
    start = file.tell()
    head = file.read(HEAD)
    inner = _INNER_LIST.match(head)
    file.seek(start)
    are_lines = inner is None and _are_lines(file, head, bounds)
    file.seek(start + (inner.end() if inner else 0))
    if are_lines:
        yield from _lines(file, bounds)
    else:
        yield from elements(file, bounds, problem, is_inner=inner is not None)


def _are_lines(file: IO[bytes], head: bytes, bounds: Bounds) -> bool:
    """Whether each line is a value of its own: the first one is, and if it is a list, more lines follow."""
    line, newline, rest = head.partition(b"\n")
    goes_on = rest.lstrip().startswith((b"{", b"["))
    if head.startswith(b"["):
        return goes_on and _parsed(line, bounds) is not None
    if newline:
        return _parsed(line, bounds) is not None or (goes_on and line.rstrip().endswith(b"}"))
    line = file.readline(bounds.conversation + 1)
    return line.endswith(b"\n") and _parsed(line, bounds) is not None


def _lines(file: IO[bytes], bounds: Bounds) -> Iterator[Any]:
    number = 0
    while line := file.readline(bounds.conversation + 1):
        number += 1
        part = line
        while len(part) > bounds.conversation and not part.endswith(b"\n"):
            part = file.readline(bounds.conversation + 1)
        if line.strip():
            value = _parsed(line, bounds)
            yield Fault(fault(line, bounds) or "it is damaged", title_in(line), number) if value is None else value


def _parsed(line: bytes, bounds: Bounds) -> Any:  # noqa: ANN401
    """The object or list on a line; None if it is something else or must not be parsed."""
    if fault(line, bounds):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None
