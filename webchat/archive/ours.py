"""Our own format, JSON Lines: sessions written as lines, and read from them.

Each session is a line `{"type": "session", "format": 1, "session": {…}, "lines": N, "torn": …}`, whose `session` is its
record in the registry, followed by the N lines of its transcript as they are. A line that could be mistaken for ours,
or that is no JSON object, is written as `{"type": "raw", "base64": "…"}`. Nothing is lost on the way.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import IO, Any

from webchat import jsonlines
from webchat.archive.brought import Brought, Report
from webchat.session_store import Row, is_row

FORMAT = 1
OURS = ("session", "raw")
LONGEST_LINE = 64 * 1024 * 1024
NOT_TAKEN_ALONG = ("is_active", "owner", "deleted_at")


def session_lines(row: Row, transcript: bytes) -> bytes:
    """One session as lines of an export: the record, then the transcript."""
    lines, torn = _lines(transcript)
    head = {"type": "session", "format": FORMAT, "session": _taken_along(row), "lines": len(lines)}
    return b"".join(line + b"\n" for line in (jsonlines.dump(head | ({"torn": True} if torn else {})), *lines))


def sessions(file: IO[bytes], report: Report) -> Iterator[Brought]:
    """The sessions of an export of ours, one at a time; what is damaged is told."""
    head: Mapping[str, Any] | None = None
    lines: list[bytes] = []
    for number, line in enumerate(read_lines(file), 1):
        if head is not None and len(lines) < head["lines"]:
            record = jsonlines.parse_line(line)
            if record is None:
                report.problem(f"line {number} is damaged and is kept as it stands.")
            if record is None or record.get("type") != "session":
                lines.append(_unwrapped(line, record))
                continue
            report.problem(f"line {number}: {head['lines'] - len(lines)} lines of the session before are missing.")
        if head is not None:
            yield _whole(head, lines)
        before, (head, lines) = head, (_head(line), [])
        if head is None and _is_newer(line):
            report.problem(f"line {number}: a later version of the chat has written this session; it is left out.")
        elif head is None and (before is not None or number == 1):
            report.problem(f"line {number}: this is not the beginning of a session; what follows is left out.")
    if head is not None:
        if len(lines) < head["lines"]:
            report.problem(f"The file ends {head['lines'] - len(lines)} lines too early.")
        yield _whole(head, lines)


def read_lines(file: IO[bytes]) -> Iterator[bytes]:
    """The lines without their ends; a longer one than `LONGEST_LINE` comes in parts."""
    while line := file.readline(LONGEST_LINE):
        yield line.removesuffix(b"\n")


def _lines(data: bytes) -> tuple[list[bytes], bool]:
    """A transcript's lines as they are taken along, and whether the last one has no newline."""
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


def _head(line: bytes) -> Mapping[str, Any] | None:
    record = jsonlines.parse_line(line) or {}
    count, row = record.get("lines"), record.get("session")
    known = record.get("type") == "session" and record.get("format") == FORMAT
    return record if known and type(count) is int and count >= 0 and is_row(row) else None


def _is_newer(line: bytes) -> bool:
    record = jsonlines.parse_line(line) or {}
    return record.get("type") == "session" and record.get("format") != FORMAT


def _unwrapped(line: bytes, record: Mapping[str, Any] | None) -> bytes:
    if record is None or record.get("type") != "raw" or not isinstance(record.get("base64"), str):
        return line
    try:
        return base64.b64decode(record["base64"], validate=True).replace(b"\n", b" ")
    except ValueError:
        return line


def _whole(head: Mapping[str, Any], lines: list[bytes]) -> Brought:
    data = b"\n".join(lines)
    return Brought(_taken_along(head["session"]), data if head.get("torn") or not lines else data + b"\n")


def _taken_along(row: Mapping[str, Any]) -> Row:
    return {key: value for key, value in row.items() if key not in NOT_TAKEN_ALONG}
