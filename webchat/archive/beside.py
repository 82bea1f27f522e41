"""Where conversations find their pictures: in their own zip, then in those imported with it. Knows no program."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from tempfile import TemporaryFile
from typing import IO

from webchat.archive.bounds import PIECE, Bounds, CountedFile, TooMuchAtOnce, Watch
from webchat.archive.foreign_pictures import Find

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What is raised when a file in a zip is damaged, locked, or compressed in an unknown way."""
UNPACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The others may need any amount of memory, or are seen nowhere."""
_FILE_IN_ITS_LIST = b"PK\x01\x02"
_ASSET = re.compile(r"file[-_][A-Za-z0-9]+")
"""ChatGPT's id of a file, with which its name begins."""
_PICTURE = re.compile(r"\.(png|jpe?g|webp|gif|dat)$", re.IGNORECASE)
"""The ends of pictures' names; ChatGPT's have the last one."""


def opened(file: IO[bytes], bounds: Bounds) -> zipfile.ZipFile:
    """The zip. Raises TooMuchAtOnce if it has too many files, one of DAMAGED."""
    return zipfile.ZipFile(_ZipFile(file, bounds))


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


class ZippedFiles:
    """The files of a zip, by their paths, their names, or the ids with which these begin."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._inner: list[ZippedFiles] | None = None
        self._by_name: dict[str, zipfile.ZipInfo] = {}
        self._by_id: dict[str, zipfile.ZipInfo] = {}
        for info in archive.infolist():
            name = info.filename.rpartition("/")[2]
            self._by_name.setdefault(name, info)
            if found := _ASSET.match(name):
                self._by_id.setdefault(found[0], info)
            self._by_id.setdefault(name.partition(".")[0], info)

    def __len__(self) -> int:
        return len(self._archive.infolist())

    @property
    def has_pictures(self) -> bool:
        """Whether the names of some say that they are pictures."""
        return any(map(_PICTURE.search, self._by_name))

    def inner(self, watch: Watch) -> list[ZippedFiles]:
        """The zips in it, which together may have as many files as one. Raises Stopped."""
        if self._inner is None:
            self._inner, left = [], watch.bounds.files
            packed = [info for info in self._archive.infolist() if info.filename.lower().endswith(".zip")]
            for info in packed:
                if files := self._opened(info, replace(watch.bounds, files=left), watch):
                    self._inner.append(files)
                    left -= len(files)
        return self._inner

    def _opened(self, info: zipfile.ZipInfo, bounds: Bounds, watch: Watch) -> ZippedFiles | None:
        """See `_listed`."""
        copy = TemporaryFile()  # noqa: SIM115  (for as long as its files may be needed)
        try:
            with self._archive.open(info) as file:
                while piece := file.read(PIECE):
                    watch.unpack(len(piece))
                    copy.write(piece)
        except DAMAGED:
            return None
        return _listed(copy, bounds)

    def ways(self, folder: str, name: str) -> tuple[zipfile.ZipInfo | None, ...]:
        """The file in that folder, the one of that name anywhere, and the one whose name begins with that id."""
        return self._archive.NameToInfo.get(folder + name), self._by_name.get(name), self._by_id.get(name)

    def read(self, info: zipfile.ZipInfo, watch: Watch) -> bytes | None:
        """The file's bytes; None if it is damaged or locked, or larger than a conversation may be. Raises Stopped."""
        most = watch.bounds.conversation
        if info.compress_type not in UNPACKED or info.file_size > most:
            return None
        try:
            with self._archive.open(info) as file:
                data = file.read(most + 1)
        except DAMAGED:
            return None  # the conversations are whole without it
        watch.unpack(len(data))
        return data if len(data) <= most else None


class Together:
    """The files of one import. A zip among them is looked through once a picture is missing in another file.

    All of these zips together may have as many files as one.
    """

    def __init__(self, files: Sequence[IO[bytes]] = ()) -> None:
        self.is_several = len(files) > 1
        self._files = [file for file in files if file.seekable()]
        self._zips: dict[int, ZippedFiles | None] = {}

    def beside(self, file: IO[bytes], watch: Watch) -> Beside:
        """What lies beside this file, whose turn begins: nothing else may read it meanwhile."""
        for place, other in enumerate(self._files):
            if other is file:
                self._zips.pop(place, None)
        return Beside(lambda: self._others(file, watch.bounds), watch)

    def _others(self, file: IO[bytes], bounds: Bounds) -> Iterator[ZippedFiles]:
        for place, other in enumerate(self._files):
            if other is file:
                continue
            if place not in self._zips:
                used = sum(len(files) for files in self._zips.values() if files)
                self._zips[place] = _listed(other, replace(bounds, files=bounds.files - used))
            if files := self._zips[place]:
                yield files


def _listed(file: IO[bytes], bounds: Bounds) -> ZippedFiles | None:
    """The files of a zip; None if there are too many or it is none, which its own turn reports."""
    try:
        return ZippedFiles(opened(file, bounds))
    except DAMAGED:  # TooMuchAtOnce among them
        return None


class Beside:
    """The zips in which a conversation looks for its pictures: its own first, then those beside its own."""

    def __init__(self, others: Callable[[], Iterator[ZippedFiles]], watch: Watch, *within: ZippedFiles) -> None:
        self._others, self._watch, self._within = others, watch, within

    def inside(self, files: ZippedFiles) -> Beside:
        """The same for conversations in this zip."""
        return Beside(lambda: chain(files.inner(self._watch), self._others()), self._watch, files, *self._within)

    def find_from(self, path: str) -> Find:
        """Returns what finds the files that a file of this path names, in its own folder rather than anywhere."""
        folder = "".join(path.rpartition("/")[:2])
        return lambda name: self._read(folder, name)

    def _read(self, folder: str, name: str) -> bytes | None:
        places = [(files, files.ways(folder, name)) for files in self._within]
        if not any(ways[0] for _, ways in places):
            places += ((files, files.ways(folder, name)) for files in self._others())
        found = chain.from_iterable(zip(*([(files, info) for info in ways] for files, ways in places), strict=True))
        return next((files.read(info, self._watch) for files, info in found if info), None)
