"""Where conversations find their pictures: in their own zip, then in those imported with it. Knows no program."""

from __future__ import annotations

import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain
from typing import IO

from webchat.archive.asset_names import LARGEST, NamesIn, asset_names
from webchat.archive.bounds import PIECE, Bounds, CountedFile, TooMuchAtOnce, Watch
from webchat.archive.foreign_pictures import Find

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What is raised when a file in a zip is damaged, locked, or compressed in an unknown way."""
UNPACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The others may need any amount of memory, or are seen nowhere."""
MOST_NAMES = 2
"""The most files of assets' names that are kept: one for the folder being read, and one for all without their own."""
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
        self._by_path: dict[str, zipfile.ZipInfo] = {}
        self._by_name: dict[str, zipfile.ZipInfo] = {}
        self._by_id: dict[str, zipfile.ZipInfo] = {}
        for info in archive.infolist():
            name = info.filename.rpartition("/")[2]
            self._by_path[info.filename.replace("//", "/")] = info  # some zips have empty names in their paths
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
        """Copies of the zips in it, which together may have as many files as one. Raises Stopped."""
        if self._inner is None:
            self._inner, left = [], watch.bounds.files
            packed = [info for info in self._archive.infolist() if info.filename.lower().endswith(".zip")]
            for info in packed:
                if files := self._opened(info, replace(watch.bounds, files=left), watch):
                    self._inner.append(files)
                    left -= len(files)
        return self._inner

    def _opened(self, info: zipfile.ZipInfo, bounds: Bounds, watch: Watch) -> ZippedFiles | None:
        """See `_listed`; also None if there is no room for a copy."""
        if info.compress_type not in UNPACKED:
            return None
        with suppress(OSError, *DAMAGED), ExitStack() as stack:
            copy = stack.enter_context(tempfile.TemporaryFile())
            with self._archive.open(info) as file:
                while piece := file.read(PIECE):
                    if not watch.may_copy(len(piece)):
                        return None
                    copy.write(piece)
            if files := _listed(copy, bounds):
                stack.pop_all()  # it stays open for as long as its files may be needed
                return files
        return None

    def ways(self, folder: str, name: str) -> tuple[zipfile.ZipInfo | None, ...]:
        """The file in that folder, the one of that name anywhere, and the one whose name begins with that id."""
        return self._by_path.get(folder + name), self._by_name.get(name), self._by_id.get(name)

    def read(self, info: zipfile.ZipInfo, watch: Watch, most: int) -> bytes | None:
        """The file's bytes; None if there are more than `most`, or it is damaged or locked. Raises Stopped."""
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
        names = lru_cache(MOST_NAMES)(partial(_names_of, watch))
        return Beside(partial(self._others, file, watch.bounds), watch, names)

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


def _names_of(watch: Watch, files: ZippedFiles, info: zipfile.ZipInfo) -> Mapping[str, str]:
    return asset_names(files.read(info, watch, LARGEST) or b"", watch.bounds)


@dataclass(frozen=True)
class Beside:
    """The zips in which a conversation looks for its pictures.

    First the one that it lies in and those around it, then the files beside, and only then the zips in these zips,
    since each is unpacked for that.
    """

    others: Callable[[], Iterator[ZippedFiles]]
    watch: Watch
    names_of: Callable[[ZippedFiles, zipfile.ZipInfo], Mapping[str, str]]
    """Reads the assets' names in a file, which is read once for all conversations beside it."""
    within: tuple[ZippedFiles, ...] = ()

    def inside(self, files: ZippedFiles) -> Beside:
        """The same for conversations in this zip."""
        return replace(self, within=(files, *self.within))

    def find_from(self, path: str) -> Find:
        """Returns what finds the files that a file of this path names, in its own folder rather than anywhere."""
        return partial(self._read, _folder(path))

    def names_from(self, path: str) -> NamesIn:
        """The same for the names in these files, except for the zips in these zips."""
        return partial(self._names, _folder(path))

    def _read(self, folder: str, name: str) -> bytes | None:
        found = self._find(folder, name)
        if not found:
            inner = chain.from_iterable(files.inner(self.watch) for files in self.within)
            found = _found([*inner], folder, name)
        return found[0].read(found[1], self.watch, self.watch.bounds.conversation) if found else None

    def _names(self, folder: str, name: str) -> Mapping[str, str]:
        found = self._find(folder, name)
        return self.names_of(*found) if found else {}

    def _find(self, folder: str, name: str) -> tuple[ZippedFiles, zipfile.ZipInfo] | None:
        if any(files.ways(folder, name)[0] for files in self.within):
            return _found(self.within, folder, name)
        return _found([*self.within, *self.others()], folder, name)


def _folder(path: str) -> str:
    return "".join(path.rpartition("/")[:2])


def _found(zips: Sequence[ZippedFiles], folder: str, name: str) -> tuple[ZippedFiles, zipfile.ZipInfo] | None:
    """The file, and the zip that it is in: the best way of all zips comes first."""
    places = [[(files, info) for info in files.ways(folder, name)] for files in zips]
    return next(((files, info) for way in zip(*places, strict=True) for files, info in way if info), None)
