"""Zips and gzipped files of exports, also one in another, in bounded memory. Knows no format of what is in them."""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from tempfile import TemporaryFile
from typing import IO, cast

from webchat.archive.beside import DAMAGED, UNPACKED, Beside, ZippedFiles, opened
from webchat.archive.bounds import PIECE, CountedFile, TooMuchAtOnce, Watch
from webchat.archive.brought import Brought, Report
from webchat.archive.others import UnknownKind

DEEPEST = 2
"""Zips in zips that are opened."""
_READ = re.compile(r"(^|/)[^/.][^/]*\.(json|jsonl|ndjson|csv|md|db|html|gz|zip)$|(^|/)[^/.]+$", re.IGNORECASE)
"""Files that may have conversations: AI Studio's have no ending. Of a page only the beginning is looked at."""
_PAGE = ".html"
OF_A_PERSON = "waiting.jsonl"
_BESIDE = re.compile(r"(^|/)((trash|waiting)\.jsonl|(deleted|memories|settings)\.json)$")
"""In a person's whole export: what they had not sent or deleted, their memories, and the settings of their chat."""
_ZIP, _GZIP = (b"PK\x03\x04", b"PK\x05\x06"), b"\x1f\x8b"
Read = Callable[[IO[bytes], str, Beside, str], Iterator[Brought]]


class Packed:
    """Reads what is packed. Files of unknown kinds are left out.

    `read_one` gets each file with its name, what lies beside it, and its path.
    """

    def __init__(self, report: Report, watch: Watch, beside: Beside, read_one: Read) -> None:
        self._report, self._watch, self._beside, self._read_one = report, watch, beside, read_one
        self._is_known = self._has_pictures = False

    @staticmethod
    def is_packed(file: IO[bytes]) -> bool:
        """Whether this is a zip or gzipped; the file is at its beginning afterwards."""
        start = file.read(4)
        file.seek(0)
        return start in _ZIP or start.startswith(_GZIP)

    def read(self, file: IO[bytes]) -> Iterator[Brought]:
        """The sessions of all files in it. Raises UnknownKind if there are none of a known kind."""
        before = len(self._report.problems)
        yield from self._unpack(file, "", 0, self._beside)
        if not self._is_known and len(self._report.problems) == before:
            raise UnknownKind(has_pictures=self._has_pictures)

    def _unpack(self, file: IO[bytes], where: str, depth: int, beside: Beside) -> Iterator[Brought]:
        is_zip = file.read(2) == b"PK"
        file.seek(0)
        yield from (self._zipped if is_zip else self._gzipped)(file, where, depth, beside)

    def _gzipped(self, file: IO[bytes], where: str, depth: int, beside: Beside) -> Iterator[Brought]:
        try:
            with gzip.open(file) as unpacked:
                yield from self._open(CountedFile(cast(IO[bytes], unpacked), self._watch.unpack), where, depth, beside)
        except (gzip.BadGzipFile, zlib.error, EOFError):
            self._problem(where, "the file is damaged or incomplete: it cannot be unpacked.")

    def _zipped(self, file: IO[bytes], where: str, depth: int, beside: Beside) -> Iterator[Brought]:
        try:
            with opened(file, self._watch.bounds) as archive:
                members = sorted(filter(_is_read, archive.infolist()), key=lambda info: info.filename)
                if depth == 0:
                    self._watch.expect(sum(info.compress_size for info in members if not _is_page(info)))
                if depth and OF_A_PERSON in archive.NameToInfo:
                    self._problem(where, "only its sessions were imported. Unpack this zip, and import it by itself.")
                files = ZippedFiles(archive)
                self._has_pictures = self._has_pictures or files.has_pictures
                for info in members:
                    yield from self._member(archive, info, where, depth, beside.inside(files))
        except TooMuchAtOnce:
            self._problem(where, "the zip has too many files. Unpack it, and import its conversations.json.")
        except DAMAGED:
            self._problem(where, "the zip is damaged or incomplete, or is locked with a password.")

    def _problem(self, where: str, what: str) -> None:
        self._report.problem(where + what if where else what[0].upper() + what[1:])

    def _member(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str, depth: int, beside: Beside
    ) -> Iterator[Brought]:
        name = f"{where}{info.filename[-200:]}: "
        if info.compress_type not in UNPACKED:
            self._problem(name, "it is compressed in an unsupported way. Unpack the zip, and import that file.")
            return
        with archive.open(info) as member:
            file = CountedFile(member, self._watch.unpack)
            yield from self._open(file, name, depth, beside, info.filename)

    def _open(self, file: IO[bytes], name: str, depth: int, beside: Beside, path: str = "") -> Iterator[Brought]:
        if not self.is_packed(file):
            try:
                yield from self._read_one(file, name, beside, path)
                self._is_known = True
            except UnknownKind:
                return
        elif depth == DEEPEST:
            self._problem(name, "it is a zip within too many zips. Unpack it, and import its contents.")
        else:
            with TemporaryFile() as inner:  # a zip is read from its end
                while piece := file.read(PIECE):
                    inner.write(piece)
                inner.seek(0)
                yield from self._unpack(inner, name, depth + 1, beside)


def _is_page(info: zipfile.ZipInfo) -> bool:
    return info.filename.lower().endswith(_PAGE)


def _is_read(info: zipfile.ZipInfo) -> bool:
    """Whether a file in a zip may have conversations."""
    return bool(_READ.search(info.filename)) and not _BESIDE.search(info.filename)
