"""Reads and writes JSON Lines files, which may be incomplete, damaged, or replaced. Knows no record's meaning."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from webchat.fileutil import Appended, Folder, Stamp

COMPARED = 200
"""Bytes at the beginning and the end of the part already read, by which a file is recognised."""
Record = dict[str, Any]
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""A value as part of a line. Much faster for a string than encoding a whole record."""
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
"""A surrogate, escaped or as bytes: one of a pair, or a lone one."""


def dump(record: Mapping[str, Any]) -> bytes:
    """One record as a line without its newline; lone surrogates, which UTF-8 cannot encode, become "?"."""
    return encode(record).encode("utf-8", "replace")


def dump_all(records: Iterable[Mapping[str, Any]]) -> bytes:
    """Records as whole lines."""
    return "".join(f"{encode(record)}\n" for record in records).encode("utf-8", "replace")


def followed_by(data: bytes, record: Mapping[str, Any]) -> bytes:
    """The data with this record as a line of its own at the end, even if the last line lacks its newline."""
    return data + (b"\n" if data and not data.endswith(b"\n") else b"") + dump_all([record])


def parse(data: bytes) -> Iterator[tuple[int, Record | None]]:
    """Each whole line of `data` as (offset of its end, record); None for a line that is not a JSON object.

    An incomplete last line without a newline is left for later: its writer may not have finished.
    """
    end, data = 0, _ended(data)
    while (newline := data.find(b"\n", end)) >= 0:
        line, end = data[end:newline], newline + 1
        if line.strip():
            yield end, parse_line(line)


def _ended(data: bytes) -> bytes:
    """The data, with a newline added if the last line is a whole record: some editors save files like that."""
    rest = data[data.rfind(b"\n") + 1 :]
    return data + b"\n" if rest.strip() and parse_line(rest) is not None else data


def load(data: bytes) -> Any:  # noqa: ANN401
    """JSON from a file. A lone surrogate, which no page can hold, becomes "?". Raises ValueError, RecursionError."""
    value = json.loads(data)
    if (b"\\u" in data or b"\xed" in data) and _SURROGATE.search(data):  # the first two are quick, and mostly enough
        value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    return value


def parse_line(line: bytes) -> Record | None:
    try:
        record = load(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


@dataclass(frozen=True)
class NewLines:
    """The new lines: (offset of the line's end in bytes, record; None if it is damaged).

    `afresh`: the file was replaced, or is read for the first time: discard cached state.
    """

    afresh: bool
    lines: list[tuple[int, Record | None]]


class LineReader:
    """Reads a growing file incrementally. A replaced one is read from its beginning."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder, self._name = folder, name
        self._stamp: Stamp | None = None
        self._looked = False
        self._head = self._tail = b""
        self.end = 0
        """The offset of the end of the last whole line read, in bytes."""
        self.torn = False
        """Whether an incomplete record follows."""

    def take_own(self, line: bytes, written: Appended) -> list[tuple[int, Record | None]]:
        """The lines in `line`, which was just appended, without reading the file.

        [] if there are also others since the last reading: `read_on` then reads them all.
        """
        data = line + b"\n"
        all_is_read = self._looked and not self.torn
        is_next = written.before == self._stamp if self._stamp else written.before.size == 0
        if not (all_is_read and is_next and written.after.size == self.end + len(data)):
            return []
        start = self.end
        self._advance(data)
        self._stamp = written.after
        return [(start + end, record) for end, record in parse(data)]

    def read_on(self) -> NewLines:
        """The new whole lines. Raises OSError."""
        stamp = self._folder.stamp(self._name)
        if self._looked and stamp == self._stamp:
            return NewLines(False, [])
        grown = self._new_bytes(stamp)
        if grown is None:
            self.end, self._head, self._tail = 0, b"", b""
        # If the last line lacks its newline, the next writer adds it first: it counts as present.
        data = _ended(grown if grown is not None else self._folder.read(self._name) or b"")
        start, whole = self.end, data.rfind(b"\n") + 1
        self.torn = bool(data[whole:].strip())
        self._advance(data[:whole])
        self._stamp, self._looked = stamp, True
        return NewLines(grown is None, [(start + end, record) for end, record in parse(data)])

    def _advance(self, lines: bytes) -> None:
        self.end += len(lines)
        self._head = (self._head + lines)[:COMPARED]
        self._tail = (self._tail + lines)[-COMPARED:]

    def _new_bytes(self, stamp: Stamp | None) -> bytes | None:
        """The appended bytes; None if the file was replaced. A new file may get the inode of the old one."""
        before = self._stamp
        if before is None or stamp is None or before.identity != stamp.identity or stamp.size <= before.size:
            return None
        found = self._folder.read_ends(self._name, len(self._head), self.end - len(self._tail))
        if found is None or found[0] != self._head or not found[1].startswith(self._tail):
            return None
        return found[1][len(self._tail) :]
