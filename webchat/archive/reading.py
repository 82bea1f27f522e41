"""The conversations of a file: of our own export, of another program's, or of a zip with one."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import IO, Any

from webchat import jsonlines
from webchat.archive import others, ours
from webchat.archive.brought import Brought, Report, Unreadable


def conversations(file: IO[bytes], report: Report) -> Iterator[Brought]:
    """The sessions of the file, one at a time; what cannot be read is told in the report."""
    if not file.seekable():
        file = io.BytesIO(file.read())
    start = file.read(4)
    file.seek(0)
    if start == b"PK\x03\x04":
        yield from _zipped(file, report)
        return
    first = file.readline(ours.LONGEST_LINE)
    while first and not first.strip():
        first = file.readline(ours.LONGEST_LINE)
    file.seek(0)
    if not first:
        report.problem("The file is empty.")
        return
    record = jsonlines.parse_line(first)
    is_ours = record.get("type") == "session" if record else _has_ours(file)
    file.seek(0)
    if is_ours:
        yield from ours.sessions(file, report)
    else:
        yield from _of_others(file, "", report)


def _has_ours(file: IO[bytes]) -> bool:
    """Whether a later line begins a session of ours, in a file whose first line is damaged."""
    for line in ours.read_lines(file):
        if line.startswith(b'{"type":"session"'):
            return True
        if line.startswith(b"["):  # so do all others
            return False
    return False


def _zipped(file: IO[bytes], report: Report) -> Iterator[Brought]:
    try:
        with zipfile.ZipFile(file) as archive:
            names = [name for name in archive.namelist() if others.IN_A_ZIP.search(name)]
            if not names:
                report.problem("The zip has no conversations.json.")
            for name in sorted(names):
                with archive.open(name) as member:
                    yield from _of_others(member, f"{name}: ", report)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        report.problem(f"The zip is damaged or not whole ({error}).")


def _of_others(file: Any, where: str, report: Report) -> Iterator[Brought]:  # noqa: ANN401  (a member of a zip, too)
    for number, item in enumerate(others.items(file, lambda problem: report.problem(where + problem)), 1):
        try:
            yield others.conversation(item)
        except Unreadable as error:
            report.problem(f"{where}conversation {number}: {error}.")
