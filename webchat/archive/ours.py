"""Writes and reads our own export format, JSON Lines.

Each session is a line `{"type": "session", "format": 1, "session": {…}, "lines": N, "torn": …}`, whose `session` is its
record in the registry, followed by the N lines of its transcript as they are. A line that could be mistaken for ours,
or that is no JSON object, is written as `{"type": "raw", "base64": "…"}`. Its pictures follow, a line each, as
`{"type": "picture", "media_type": "…", "base64": "…"}`. Nothing is lost on the way. A session that
could not be read is a line `{"type": "left-out", "session_id": …, "description": …, "why": …}`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import IO, Any

from webchat.archive.bounds import Bounds, size_of
from webchat.archive.brought import Brought, Report
from webchat.archive.elements import fault
from webchat.archive.export import LeftOut
from webchat.archive.pictures import PICTURE, BroughtPictures, picture_in
from webchat.fileutil import jsonlines
from webchat.session_store import Row, is_row

FORMAT = 1
LEFT_OUT = "left-out"
OURS = ("session", "raw", PICTURE, LEFT_OUT)
NOT_TAKEN_ALONG = ("is_active", "owner", "deleted_at", "kept_since")


def session_lines(row: Row, transcript: bytes) -> bytes:
    """One session as lines of an export: its record, then its transcript."""
    lines, torn = _lines(transcript)
    head = {"type": "session", "format": FORMAT, "session": _taken_along(row), "lines": len(lines)}
    return b"".join(line + b"\n" for line in (jsonlines.dump(head | ({"torn": True} if torn else {})), *lines))


def left_out_line(left_out: LeftOut) -> bytes:
    """The line in an export in place of a session that could not be read."""
    session = left_out.session
    named = {"session_id": session.session_id, "description": session.description, "why": left_out.why}
    return jsonlines.dump({"type": LEFT_OUT, "format": FORMAT, **named}) + b"\n"


def sessions(file: IO[bytes], report: Report, bounds: Bounds) -> Iterator[Brought]:
    """The sessions of one of our exports, one at a time; damage is reported."""
    reader = _Reader(report, bounds)
    for number, line in enumerate(read_lines(file, bounds), 1):
        if found := reader.read(number, line):
            yield found
    if found := reader.ended():
        yield found


def read_lines(file: IO[bytes], bounds: Bounds) -> Iterator[bytes]:
    """The lines without their ends. A line that is too long is cut, though it stays too long."""
    while line := file.readline(bounds.conversation + 2):
        part = line
        while len(part) > bounds.conversation + 1 and not part.endswith(b"\n"):
            part = file.readline(bounds.conversation + 2)
        yield line.removesuffix(b"\n")


class _Reader:
    """Assembles sessions from the lines of an export."""

    def __init__(self, report: Report, bounds: Bounds) -> None:
        self._report, self._bounds = report, bounds
        self._head: Mapping[str, Any] | None = None
        self._transcript = bytearray()
        """What has been read of it. A list of short lines would take many times the memory."""
        self._pictures: BroughtPictures | None = None
        self._count = 0
        """How many of its lines have been read."""

    def read(self, number: int, line: bytes) -> Brought | None:
        """Take the next line; returns the session that ended before it, if one did."""
        why = fault(line, self._bounds)
        record = None if why else jsonlines.parse_line(line)
        if self._head is not None and self._count < self._head["lines"]:
            if why := why or self._fault_with(line):
                self._report.problem(f"line {number}: {why}. Its session is left out.")
                self._head = None
                return None
            if record is None:
                self._report.problem(f"line {number} is damaged and is kept unchanged.")
            if record is None or record.get("type") != "session":
                self._transcript += _unwrapped(line, record) + b"\n"
                self._count += 1
                return None
            missing = self._head["lines"] - self._count
            self._report.problem(f"line {number}: {missing} lines of the previous session are missing.")
        elif self._head is not None and record and record.get("type") == PICTURE:
            self._add_picture(number, record)
            return None
        return self._begin(number, record or {})

    def _add_picture(self, number: int, record: Mapping[str, Any]) -> None:
        found = picture_in(record)
        if found is None:
            self._report.problem(f"line {number}: this picture is damaged. It is left out.")
            return
        self._pictures = self._pictures or BroughtPictures()
        self._pictures.add(*found)

    def _fault_with(self, line: bytes) -> str:
        """Why the session must be left out if this line belongs to it; "" if it need not."""
        if len(self._transcript) + len(line) > self._bounds.session:
            return f"the session is larger than {size_of(self._bounds.session)}"
        if self._count == self._bounds.values:
            return f"the session has more than {self._bounds.values:,} lines"
        return ""

    def _begin(self, number: int, record: Mapping[str, Any]) -> Brought | None:
        """Begin a session with this line, since the last one has ended."""
        whole = self._whole()
        self._head, self._count = _head(record), 0
        self._transcript.clear()
        self._pictures = None
        if is_left_out(record):
            named = (str(record.get(key))[:300] for key in ("description", "session_id", "why"))
            self._report.problem("line {}: the export lacks the session “{}” ({}). {}".format(number, *named))
            return whole
        if self._head is None and _is_newer(record):
            why = "a later version of the chat has written this session; it is left out."
            self._report.problem(f"line {number}: {why}")
        elif self._head is None and (whole is not None or number == 1):
            why = "this is not the beginning of a session; the rest is left out."
            self._report.problem(f"line {number}: {why}")
        return whole

    def ended(self) -> Brought | None:
        """Note the end of the lines; returns the last session, if there is one."""
        if self._head is not None and self._count < self._head["lines"]:
            self._report.problem(f"The file ends {self._head['lines'] - self._count} lines too early.")
        return self._whole()

    def _whole(self) -> Brought | None:
        if self._head is None:
            return None
        if self._head.get("torn"):
            del self._transcript[-1:]
        row = _taken_along(self._head["session"])
        return Brought(row, bytes(self._transcript), pictures=self._pictures)


def _lines(data: bytes) -> tuple[list[bytes], bool]:
    """A transcript's lines as exported, and whether the last one lacks its newline."""
    if not data:
        return [], False
    torn = not data.endswith(b"\n")
    lines = data.split(b"\n") if torn else data[:-1].split(b"\n")
    return [_line(line) for line in lines], torn


def _line(line: bytes) -> bytes:
    record = jsonlines.parse_line(line)
    plain = record is not None and record.get("type") not in OURS and _is_utf8(line)
    return line if plain else jsonlines.dump({"type": "raw", "base64": base64.b64encode(line).decode()})


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _head(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    count, row = record.get("lines"), record.get("session")
    known = record.get("type") == "session" and record.get("format") == FORMAT
    return record if known and type(count) is int and count >= 0 and is_row(row) else None


def is_left_out(record: Mapping[str, Any]) -> bool:
    """Whether this line takes the place of a session that could not be exported."""
    return record.get("type") == LEFT_OUT


def _is_newer(record: Mapping[str, Any]) -> bool:
    return record.get("type") == "session" and record.get("format") != FORMAT


def _unwrapped(line: bytes, record: Mapping[str, Any] | None) -> bytes:
    if record is None or record.get("type") != "raw" or not isinstance(record.get("base64"), str):
        return line
    try:
        return base64.b64decode(record["base64"], validate=True).replace(b"\n", b" ")
    except ValueError:
        return line


def _taken_along(row: Mapping[str, Any]) -> Row:
    return {key: value for key, value in row.items() if key not in NOT_TAKEN_ALONG}
