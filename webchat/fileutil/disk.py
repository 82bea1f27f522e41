"""A folder on disk, whose files survive a crash."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import stat
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from io import FileIO
from pathlib import Path

from webchat.fileutil import flocks
from webchat.fileutil.descriptors import append, read_at, stamp_of, start_writing, unlink, unlink_all
from webchat.fileutil.folder import LOCK_SUFFIX, Appended, Folder, Locked, Log, NoLocks, NotAFile, Release, Stamp
from webchat.observer import NOBODY, Observer, timed

FOLDER_MODE, FILE_MODE = 0o700, 0o600
LOOK_INTERVAL = 1.0
"""Seconds for which a folder that is no link is taken for one. An answer uses files two dozen times, and while others
are being written, each system call makes its thread wait for Python's lock again."""
OPEN_AT_ONCE = 25
"""Files that are written in one batch: each needs a descriptor."""


class DiskFolder(Folder):
    """A folder on disk. A link in place of a file or subfolder is an error, so that nothing leads out of the folder.

    The observer is told how long writes take.
    """

    def __init__(self, path: Path | str, observer: Observer = NOBODY, *, above: DiskFolder | None = None) -> None:
        """`above` is the folder that must really contain this one; without it the path may contain links."""
        # Fixed here: a host may change its working folder.
        self.path, self._above = Path(path).absolute(), above
        self._location = str(self.path)
        self._observer = observer
        self._has_locks = False
        self._look_at = 0.0
        """When to look next whether this folder is a link."""

    def sub(self, name: str) -> DiskFolder:
        return DiskFolder(self.path / name, self._observer, above=self)

    def names(self) -> list[str]:
        with suppress(FileNotFoundError):
            self.require_no_link()
            return [entry.name for entry in os.scandir(self.path) if entry.is_file(follow_symlinks=False)]
        return []

    def require_no_link(self) -> None:
        """Raises NotAFile if this folder is a link, and so not really in the folder above.

        Looks once in `LOOK_INTERVAL`.
        """
        now = time.monotonic()
        if self._above is not None and now >= self._look_at:
            self._above.require_no_link()
            if os.path.islink(self._location):  # noqa: PTH114  (twice as fast)
                raise NotAFile(self.path.name)
            self._look_at = now + LOOK_INTERVAL

    def stamp(self, name: str) -> Stamp | None:
        try:
            # Path.stat, and creating a Path, are several times as slow.
            found = os.stat(f"{self._location}/{name}", follow_symlinks=False)  # noqa: PTH116
        except FileNotFoundError:
            return None
        return stamp_of(found)

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes | None:
        # Without Python's file objects: creating one takes longer than reading.
        try:
            fd, there = self._open(name, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            return read_at(fd, offset, there.size - offset if size is None else size)
        finally:
            os.close(fd)

    def read_ends(self, name: str, size: int, offset: int) -> tuple[bytes, bytes] | None:
        try:
            fd, there = self._open(name, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            return read_at(fd, 0, size), read_at(fd, offset, there.size - offset)
        finally:
            os.close(fd)

    def replace(self, name: str, data: bytes) -> None:
        with timed(self._observer, "replace"):
            self._put(name, data, sync=True).close()

    def _put(self, name: str, data: bytes, *, sync: bool) -> FileIO:
        """Replace the file of that name by a new one, and return it open."""
        self.make()
        fd, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=self.path)  # 0600 from the start
        file = FileIO(fd, "r+b")
        try:
            append(fd, 0, data, sync=sync)
            os.replace(temporary, self.path / name)  # noqa: PTH105
            if sync:
                self.sync_names()
        except BaseException:
            file.close()
            unlink(temporary)
            raise
        return file

    def replace_all(self, files: Mapping[str, bytes]) -> None:
        self.make()
        rest = iter(files.items())
        while some := dict(itertools.islice(rest, OPEN_AT_ONCE)):
            self._replace_some(some)
        self.sync_names()

    def _replace_some(self, files: Mapping[str, bytes]) -> None:
        """Start writing all files before waiting for the first: that takes little longer than one file."""
        unfinished: set[str] = set()
        with ExitStack() as stack:
            stack.callback(unlink_all, unfinished)
            begun = []
            for name, data in files.items():
                fd, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=self.path)
                unfinished.add(temporary)
                stack.callback(os.close, fd)
                append(fd, 0, data)
                start_writing(fd)
                begun.append((name, fd, temporary))
            for name, fd, temporary in begun:
                with timed(self._observer, "replace"):
                    os.fsync(fd)
                    os.replace(temporary, self.path / name)  # noqa: PTH105
                unfinished.remove(temporary)

    def append_line(self, name: str, line: bytes, *, sync: bool = True) -> Appended:
        with timed(self._observer, "append"):
            return self._append_line(name, line, sync)

    def _append_line(self, name: str, line: bytes, sync: bool) -> Appended:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        try:
            fd, before = self._open(name, flags)
        except FileNotFoundError:
            self.make()
            fd, before = self._open(name, flags)
        end = before.size
        try:
            torn = end > 0 and os.pread(fd, 1, end - 1) != b"\n"
            append(fd, end, (b"\n" if torn else b"") + line + b"\n", sync=sync)
            after = stamp_of(os.fstat(fd))
        finally:
            os.close(fd)
        if sync and end == 0:
            self.sync_names()
        return Appended(before, after)

    def begin(self, name: str, data: bytes) -> Log:
        with timed(self._observer, "replace"):
            file = self._put(name, data, sync=False)
        fcntl.fcntl(file, fcntl.F_SETFL, os.O_APPEND)  # even after a line that had to be removed again
        return _DiskLog(file, len(data), self._observer)

    def remove(self, *names: str) -> None:
        self.require_no_link()
        for name in names:
            with suppress(FileNotFoundError):
                os.unlink(f"{self._location}/{name}")  # noqa: PTH108

    def rename(self, name: str, to: str) -> None:
        self.require_no_link()
        with suppress(FileNotFoundError):
            os.replace(self.path / name, self.path / to)  # noqa: PTH105
            self.sync_names()

    def free(self) -> int | None:
        for folder in (self.path, *self.path.parents):  # the folder itself may not exist yet
            with suppress(OSError):
                state = os.statvfs(folder)
                return state.f_bavail * state.f_frsize
        return None

    def require_locks(self) -> None:
        """Raises NoLocks if the file system has none: without them, processes would overwrite each other's changes."""
        if self._has_locks:
            return
        place = next(folder for folder in (self.path, *self.path.parents) if folder.is_dir())
        with tempfile.TemporaryFile(prefix=".lock-probe.", dir=place) as probe:
            try:
                fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise NoLocks(str(self.path)) from error
        self._has_locks = True

    def lock(self, name: str, timeout: float) -> Release:
        if not self._has_locks:
            self.make()
            self.require_locks()
        try:
            release = self._acquired(name, timeout)
        except FileNotFoundError:
            self.make()
            release = self._acquired(name, timeout)
        if release is None:
            raise Locked(name)
        return release

    def _acquired(self, name: str, timeout: float) -> Release | None:
        return flocks.acquire(lambda: self._open(name + LOCK_SUFFIX, os.O_RDWR | os.O_CREAT)[0], timeout)

    def is_locked(self, name: str) -> bool:
        if self.stamp(name + LOCK_SUFFIX) is None:
            return False
        fd, _ = self._open(name + LOCK_SUFFIX, os.O_RDONLY)
        try:
            return flocks.is_held(fd)
        finally:
            os.close(fd)

    def _open(self, name: str, flags: int) -> tuple[int, Stamp]:
        """A descriptor, and the file's state. Raises OSError."""
        self.require_no_link()
        # Non-blocking: otherwise opening a pipe would wait for its other end for ever.
        fd = os.open(f"{self._location}/{name}", flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, FILE_MODE)
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            os.close(fd)
            raise (
                IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
                if stat.S_ISDIR(found.st_mode)
                else NotAFile(name)
            )
        return fd, stamp_of(found)

    def make(self) -> None:
        """Create the folder and its parents, if they do not exist."""
        self.require_no_link()
        # Not mkdir(parents=True): it creates the parents with the umask's mode, readable by others.
        missing = []
        folder = self.path
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for folder in reversed(missing):
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
            self.sync_names(folder.parent)

    def sync_names(self, path: Path | None = None) -> None:
        """Sync the folder: a file's fsync does not cover the folder's entry."""
        fd = os.open(path or self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


class _DiskLog:
    def __init__(self, file: FileIO, size: int, observer: Observer) -> None:
        self._file, self._size, self._observer = file, size, observer

    def append_line(self, line: bytes) -> None:
        with timed(self._observer, "reply"):
            self._size = append(self._file.fileno(), self._size, line + b"\n")

    def close(self) -> None:
        self._file.close()
