"""Reads the conversations of a file: our own export or another program's, packed or not."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile
from typing import IO

from webchat.archive import others, ours
from webchat.archive.beside import Beside, Together
from webchat.archive.bounds import MIB, PIECE, Bounds, CountedFile, Stopped, Watch
from webchat.archive.brought import Brought, Report
from webchat.archive.elements import fault, skip_blanks
from webchat.archive.encodings import in_utf8
from webchat.archive.others import Place, UnknownKind
from webchat.archive.packed import Packed
from webchat.fileutil import jsonlines

LONGEST_FIRST_LINE = MIB
_OURS = re.compile(rb'^\{"type":"session","format"', re.MULTILINE)


def conversations(file: IO[bytes], report: Report, watch: Watch, together: Together) -> Iterator[Brought]:
    """The sessions of the file, one at a time; the report notes what cannot be read, and an early end.

    `together` has the files with which it is imported.
    """
    beside = together.beside(file, watch)
    with ExitStack() as stack:
        try:
            file = stack.enter_context(seekable(file, watch))
            watch.begin(file.seek(0, os.SEEK_END))
            file.seek(0)
            yield from _conversations(CountedFile(file, watch.count), report, watch, beside)
        except UnknownKind as error:
            if error.has_pictures and together.is_several:
                report.is_only_pictures = True
            else:
                report.problem(str(error))
        except Stopped as reason:
            report.stop(str(reason))


@contextmanager
def seekable(file: IO[bytes], watch: Watch) -> Iterator[IO[bytes]]:
    """The file or, if it is a stream, a copy on disk, which can be read again. Raises Stopped."""
    if file.seekable():
        yield file
        return
    with TemporaryFile() as copy:
        while piece := file.read(PIECE):
            copy.write(piece)
            watch.count(len(piece))
        yield copy


def _conversations(file: IO[bytes], report: Report, watch: Watch, beside: Beside) -> Iterator[Brought]:
    def read_one(inner: IO[bytes], where: str, beside: Beside, path: str = "") -> Iterator[Brought]:
        place = Place(where, path or watch.file_name, beside.find_from(path), beside.names_from(path))
        with in_utf8(inner, watch.count) as text:
            yield from _unpacked(text, place, report, watch.bounds)

    packed = Packed(report, watch, beside, read_one)
    if packed.is_packed(file):
        yield from packed.read(file)
        return
    yield from read_one(file, "", beside)


def _unpacked(file: IO[bytes], place: Place, report: Report, bounds: Bounds) -> Iterator[Brought]:
    """The sessions of a file that is not packed. Raises UnknownKind."""
    first = skip_blanks(file)
    is_ours = first != b"[" and _is_ours(file, bounds)
    file.seek(0)
    if is_ours:
        yield from ours.sessions(file, report, bounds)
    elif first in (b"[", b"{"):
        yield from others.conversations(file, place, report, bounds)
    elif first:
        yield from others.other_files(file, place, report, bounds)
    elif not place.where:
        report.problem("The file is empty.")


def _is_ours(file: IO[bytes], bounds: Bounds) -> bool:
    """Whether one of our sessions begins here or, if this is damaged, at the start of any later line."""
    line = file.readline(LONGEST_FIRST_LINE)
    record = None if fault(line, bounds) else jsonlines.parse_line(line)
    if record:
        return (record.get("type") == "session" and "format" in record) or ours.is_left_out(record)
    file.seek(0)
    rest = b""
    while piece := file.read(PIECE):
        if _OURS.search(rest + piece):
            return True
        rest = (rest + piece)[-40:]
        rest = rest[rest.rfind(b"\n") :] if b"\n" in rest else b"-"
    return False
