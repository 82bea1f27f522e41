"""Zips and gzipped files of exports, also one in another, in bounded memory. Knows no format of what is in them."""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from tempfile import TemporaryFile
from typing import IO, cast

from webchat.archive.bounds import PIECE, Bounds, CountedFile, TooMuchAtOnce, Watch
from webchat.archive.brought import Brought, Report
from webchat.archive.foreign_pictures import Find
from webchat.archive.others import UnknownKind

DEEPEST = 2
"""Zips in zips that are opened."""
_READ = re.compile(r"(^|/)[^/.][^/]*\.(json|jsonl|ndjson|csv|md|db|html|gz|zip)$|(^|/)[^/.]+$", re.IGNORECASE)
"""Files that may have conversations: AI Studio's have no ending. Of a page only the beginning is looked at."""
_PAGE = ".html"
_BESIDE = re.compile(r"(^|/)((trash|waiting)\.jsonl|(deleted|memories)\.json)$")
"""In a person's whole export: what they had deleted or not sent, and their memories."""
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What is raised when a file in a zip is damaged, locked, or compressed in an unknown way."""
UNPACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The others may need any amount of memory, or are seen nowhere."""
_FILE_IN_ITS_LIST = b"PK\x01\x02"
_ASSET = re.compile(r"file[-_][A-Za-z0-9]+")
"""ChatGPT's id of a file, with which its name begins."""
_ZIP, _GZIP = (b"PK\x03\x04", b"PK\x05\x06"), b"\x1f\x8b"
Read = Callable[[IO[bytes], str, Find], Iterator[Brought]]


class Packed:
    """Reads what is packed; `read_one` gets each file in it with its name. Files of unknown kinds are left out."""

    def __init__(self, report: Report, watch: Watch, read_one: Read) -> None:
        self._report, self._watch, self._read_one = report, watch, read_one
        self._is_known = False

    @staticmethod
    def is_packed(file: IO[bytes]) -> bool:
        """Whether this is a zip or gzipped; the file is at its beginning afterwards."""
        start = file.read(4)
        file.seek(0)
        return start in _ZIP or start.startswith(_GZIP)

    def read(self, file: IO[bytes]) -> Iterator[Brought]:
        """The sessions of all files in it. Raises UnknownKind if there are none of a known kind."""
        before = len(self._report.problems)
        yield from self._unpack(file, "", 0)
        if not self._is_known and len(self._report.problems) == before:
            raise UnknownKind

    def _unpack(self, file: IO[bytes], where: str, depth: int) -> Iterator[Brought]:
        is_zip = file.read(2) == b"PK"
        file.seek(0)
        yield from (self._zipped if is_zip else self._gzipped)(file, where, depth)

    def _gzipped(self, file: IO[bytes], where: str, depth: int) -> Iterator[Brought]:
        try:
            with gzip.open(file) as unpacked:
                yield from self._open(CountedFile(cast(IO[bytes], unpacked), self._watch.unpack), where, depth)
        except (gzip.BadGzipFile, zlib.error, EOFError):
            self._problem(where, "the file is damaged or not whole: it cannot be unpacked.")

    def _zipped(self, file: IO[bytes], where: str, depth: int) -> Iterator[Brought]:
        try:
            with zipfile.ZipFile(_ZipFile(file, self._watch.bounds)) as archive:
                members = sorted(filter(_is_read, archive.infolist()), key=lambda info: info.filename)
                if depth == 0:
                    self._watch.expect(sum(info.compress_size for info in members if not _is_page(info)))
                beside = _Beside(archive, self._watch)
                for info in members:
                    yield from self._member(archive, info, where, depth, beside.find_from(info))
        except TooMuchAtOnce:
            self._problem(where, "the zip has too many files. Unpack it, and import its conversations.json.")
        except DAMAGED:
            self._problem(where, "the zip is damaged or not whole, or is locked with a password.")

    def _problem(self, where: str, what: str) -> None:
        self._report.problem(where + what if where else what[0].upper() + what[1:])

    def _member(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str, depth: int, find: Find
    ) -> Iterator[Brought]:
        name = f"{where}{info.filename[-200:]}: "
        if info.compress_type not in UNPACKED:
            self._problem(name, "it is compressed in an unsupported way. Unpack the zip, and import that file.")
            return
        with archive.open(info) as member:
            yield from self._open(CountedFile(member, self._watch.unpack), name, depth, find)

    def _open(self, file: IO[bytes], name: str, depth: int, find: Find = lambda name: None) -> Iterator[Brought]:
        if not self.is_packed(file):
            try:
                yield from self._read_one(file, name, find)
                self._is_known = True
            except UnknownKind:
                return
        elif depth == DEEPEST:
            self._problem(name, "it is packed too often. Unpack it, and import what is in it.")
        else:
            with TemporaryFile() as inner:  # a zip is read from its end
                while piece := file.read(PIECE):
                    inner.write(piece)
                inner.seek(0)
                yield from self._unpack(inner, name, depth + 1)


class _Beside:
    """The pictures of a zip, by their names, or by the ids with which these begin."""

    def __init__(self, archive: zipfile.ZipFile, watch: Watch) -> None:
        self._archive, self._watch = archive, watch
        self._by_name: dict[str, zipfile.ZipInfo] = {}
        self._by_id: dict[str, zipfile.ZipInfo] = {}
        for info in archive.infolist():
            name = info.filename.rpartition("/")[2]
            self._by_name.setdefault(name, info)
            if found := _ASSET.match(name):
                self._by_id.setdefault(found[0], info)
            self._by_id.setdefault(name.partition(".")[0], info)

    def find_from(self, member: zipfile.ZipInfo) -> Find:
        """Returns what finds the files of which this one tells, first in its own folder."""
        folder = "".join(member.filename.rpartition("/")[:2])
        files = self._archive.NameToInfo
        return lambda name: self._read(files.get(folder + name) or self._by_name.get(name) or self._by_id.get(name))

    def _read(self, info: zipfile.ZipInfo | None) -> bytes | None:
        """The file's bytes; None if it is damaged or locked, or larger than a conversation may be."""
        most = self._watch.bounds.conversation
        if info is None or info.compress_type not in UNPACKED or info.file_size > most:
            return None
        try:
            with self._archive.open(info) as file:
                data = file.read(most + 1)
        except DAMAGED:
            return None  # the conversations are whole without it
        self._watch.unpack(len(data))
        return data if len(data) <= most else None


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


def _is_page(info: zipfile.ZipInfo) -> bool:
    return info.filename.lower().endswith(_PAGE)


def _is_read(info: zipfile.ZipInfo) -> bool:
    """Whether a file in a zip may have conversations."""
    return bool(_READ.search(info.filename)) and not _BESIDE.search(info.filename)
