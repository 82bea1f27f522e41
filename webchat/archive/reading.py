"""The conversations of a file: of our own export, of another program's, or of a zip with one."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO

from webchat.archive import others, ours
from webchat.archive.bounds import MIB, PIECE, Bounds, CountedFile, Stopped, TooMuchAtOnce, Watch
from webchat.archive.brought import Brought, Report, Unreadable
from webchat.archive.elements import Fault, elements, fault, skip_blanks
from webchat.fileutil import jsonlines

LONGEST_FIRST_LINE = MIB
_OURS = re.compile(rb'^\{"type":"session"', re.MULTILINE)
_OURS_IN_A_ZIP = re.compile(r"(^|/)sessions\.jsonl$")
"""Of a person's whole export; what was in their trash stays out."""
_UNPACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The others may need any amount of memory, or are seen nowhere."""
_FILE_IN_ITS_LIST = b"PK\x01\x02"


def conversations(file: IO[bytes], report: Report, watch: Watch) -> Iterator[Brought]:
    """The sessions of the file, one at a time; the report has what cannot be read, and an early end."""
    with ExitStack() as stack:
        try:
            if not file.seekable():
                file = _spooled(file, stack.enter_context(TemporaryFile()), watch)
            watch.begin(file.seek(0, os.SEEK_END))
            file.seek(0)
            yield from _conversations(CountedFile(file, watch.count), report, watch)
        except Stopped as reason:
            report.stop(str(reason))


def _spooled(file: IO[bytes], to: IO[bytes], watch: Watch) -> IO[bytes]:
    """Copy a stream to disk, so that it can be read again."""
    while piece := file.read(PIECE):
        to.write(piece)
        watch.count(len(piece))
    return to


def _conversations(file: IO[bytes], report: Report, watch: Watch) -> Iterator[Brought]:
    start = file.read(4)
    file.seek(0)
    if start == b"PK\x03\x04":
        yield from _zipped(file, report, watch)
        return
    first = skip_blanks(file)
    if not first:
        report.problem("The file is empty.")
        return
    is_ours = first != b"[" and _is_ours(file, watch.bounds)
    file.seek(0)
    if is_ours:
        yield from ours.sessions(file, report, watch.bounds)
    else:
        yield from _of_others(file, "", report, watch.bounds)


def _is_ours(file: IO[bytes], bounds: Bounds) -> bool:
    """Whether a session of ours begins here or, if what is here is damaged, anywhere later at the start of a line."""
    line = file.readline(LONGEST_FIRST_LINE)
    record = None if fault(line, bounds) else jsonlines.parse_line(line)
    if record:
        return record.get("type") == "session" or ours.is_left_out(record)
    file.seek(0)
    rest = b""
    while piece := file.read(PIECE):
        if _OURS.search(rest + piece):
            return True
        rest = (rest + piece)[-40:]
        rest = rest[rest.rfind(b"\n") :] if b"\n" in rest else b"-"
    return False


class _ZipFile(CountedFile):
    """A zip whose list of files, which is read in one piece, is not too long to be made objects of."""

    def __init__(self, file: IO[bytes], bounds: Bounds) -> None:
        super().__init__(file, lambda size: None, bounds.list_of_files)
        self._most_files = bounds.files

    def read(self, size: int | None = -1, /) -> bytes:
        """As a file's `read`. Raises TooMuchAtOnce."""
        data = super().read(size)
        if data.count(_FILE_IN_ITS_LIST) > self._most_files:
            raise TooMuchAtOnce
        return data


def _zipped(file: IO[bytes], report: Report, watch: Watch) -> Iterator[Brought]:
    try:
        with zipfile.ZipFile(_ZipFile(file, watch.bounds)) as archive:
            members = sorted(
                (info for info in archive.infolist() if _is_read(info.filename)),
                key=lambda info: info.filename,
            )
            if not members:
                report.problem("The zip has no conversations.json.")
            watch.expect(sum(info.compress_size for info in members))
            for info in members:
                yield from _unpacked(archive, info, report, watch)
    except TooMuchAtOnce:
        report.problem("The zip has too many files. Unpack it, and import its conversations.json.")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        report.problem(f"The zip is damaged or not whole ({error}).")


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, report: Report, watch: Watch) -> Iterator[Brought]:
    name = info.filename[:200]
    if info.compress_type not in _UNPACKED:
        report.problem(f"{name} is compressed in an unsupported way. Unpack the zip, and import that file.")
        return
    with archive.open(info) as member:
        file = CountedFile(member, watch.unpack)
        if _OURS_IN_A_ZIP.search(info.filename):
            yield from ours.sessions(file, report, watch.bounds)
        else:
            yield from _of_others(file, f"{name}: ", report, watch.bounds)


def _is_read(name: str) -> bool:
    """Whether a file of that name in a zip has conversations."""
    return bool(others.IN_A_ZIP.search(name) or _OURS_IN_A_ZIP.search(name))


def _of_others(file: IO[bytes], where: str, report: Report, bounds: Bounds) -> Iterator[Brought]:
    found = elements(file, bounds, lambda problem: report.problem(where + problem))
    for number, item in enumerate(found, 1):
        try:
            if isinstance(item, Fault):
                raise Unreadable(item.why)
            yield others.conversation(item)
        except Unreadable as error:
            report.problem(f"{where}conversation {number}: {error}.")
