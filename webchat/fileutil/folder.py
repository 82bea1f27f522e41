"""A folder of named files: the protocol, and what all such folders have in common."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

LOCK_SUFFIX = ".lock"
Release = Callable[[], None]


@dataclass(frozen=True)
class Stamp:
    """Identifies a state of a file: its size in bytes, and other metadata of the file system."""

    size: int
    modified_ns: int
    identity: int

    def __str__(self) -> str:
        return f"{self.size} {self.modified_ns} {self.identity}"


class Appended(NamedTuple):
    """The stamps of a file before and after a line was appended to it."""

    before: Stamp
    after: Stamp


class Locked(OSError):
    """Somebody else holds the lock."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.EBUSY, f"{name} is locked")


class NoLocks(OSError):
    """The file system has no file locks, without which processes would overwrite each other's changes."""

    def __init__(self, path: str) -> None:
        super().__init__(errno.ENOLCK, f"the file system of {path} has no file locks")


class NotAFile(OSError):
    """There is a link, a pipe or a device in place of a file or folder of ours."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.ELOOP, f"{name} is not what it should be")


class Log(Protocol):
    """A file that its only writer keeps open: opening it for each line would cost more than writing the line."""

    def append_line(self, line: bytes) -> None:
        """Append `line` and a newline. Raises OSError; then the file is as it was."""

    def close(self) -> None: ...


class Folder(Protocol):
    """A flat folder of named files. The caller ensures one writer per file, with `lock`.

    Names are plain file names, checked by the caller. Reading raises OSError for everything but "no such file";
    writing raises OSError, and then a replaced file is as it was.
    """

    def sub(self, name: str) -> Folder:
        """The subfolder of that name; it is created with its first file."""

    def names(self) -> list[str]:
        """The files' names, in no order; [] if the folder does not exist."""

    def stamp(self, name: str) -> Stamp | None: ...

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes | None:
        """The bytes from `offset` on, `size` at most, or None if there is no such file."""

    def read_ends(self, name: str, size: int, offset: int) -> tuple[bytes, bytes] | None:
        """The first `size` bytes and those from `offset` on, or None if there is no such file."""
        head, tail = self.read(name, 0, size), self.read(name, offset)
        return None if head is None or tail is None else (head, tail)

    def replace(self, name: str, data: bytes) -> None:
        """Replace the file by `data` atomically; it is on the disk when this returns."""

    def replace_all(self, files: Mapping[str, bytes]) -> None:
        """Replace these files, each atomically; all are on the disk when this returns.

        If it raises, some may be there.
        """
        for name, data in files.items():
            self.replace(name, data)

    def append_line(self, name: str, line: bytes, *, sync: bool = True) -> Appended:
        """Append `line` and a newline; first a newline if a crash has left an incomplete last line.

        With `sync` the line is on the disk when this returns.
        """

    def begin(self, name: str, data: bytes) -> Log:
        """Replace the file by whole lines, as `replace` does, and keep it open for more."""

    def remove(self, *names: str) -> None:
        """Remove these files; a no-op for those that do not exist."""

    def rename(self, name: str, to: str) -> None:
        """Rename the file, replacing an existing one of that name; a no-op if there is no such file."""

    def free(self) -> int | None:
        """Free bytes; None if unknown."""

    def copy(self, name: str, to: str) -> None:
        """Copy a file over another; a no-op if there is none. Shared by all kinds of folders."""
        data = self.read(name)
        if data is not None:
            self.replace(to, data)

    def lock(self, name: str, timeout: float) -> Release:
        """Lock `name` across processes; returns the function that unlocks it, from any thread. Raises Locked."""

    def is_locked(self, name: str) -> bool:
        """Whether anybody, in this process or another, holds that lock. The probe is momentary."""


@contextmanager
def locked(folder: Folder, name: str, timeout: float = 30.0) -> Iterator[None]:
    """Hold a folder's lock for a block. Raises Locked after `timeout` seconds."""
    release = folder.lock(name, timeout)
    try:
        yield
    finally:
        release()


def quarantine(folder: Folder, name: str) -> str | None:
    """Copy a damaged file to `<name>.corrupt-<time>`; returns the copy's name, None if there is no file."""
    if folder.stamp(name) is None:
        return None
    base = f"{name}.corrupt-{time.strftime('%Y%m%dT%H%M%S')}"
    copy, number = base, 1
    while folder.stamp(copy) is not None:
        number += 1
        copy = f"{base}-{number}"
    folder.copy(name, copy)
    return copy
