"""Reads other programs' files without leaving a trace: not even the time of last access changes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LARGEST_FILE = 64 * 2**20
"""The most bytes read of one file, from its end."""
_QUIET = os.O_RDONLY | getattr(os, "O_NOATIME", 0) | getattr(os, "O_CLOEXEC", 0)


def _opened(path: str | Path, flags: int = 0) -> int:
    # Only a file's owner may open it this way; for others the access time changes, as with every reader.
    try:
        return os.open(path, _QUIET | flags)
    except PermissionError:
        return os.open(path, os.O_RDONLY | flags)


@contextmanager
def entries(folder: str | Path) -> Iterator[Iterator[os.DirEntry[str]]]:
    """A folder's entries; none if it is a link or cannot be read. They are valid inside the block."""
    try:
        handle = _opened(folder, os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        yield iter(())
        return
    try:
        with os.scandir(handle) as found:
            yield found
    finally:
        os.close(handle)


def state_of(path: str | Path) -> os.stat_result | None:
    """The state of a regular file; None if there is none."""
    with suppress(OSError):
        found = os.lstat(path)
        if stat.S_ISREG(found.st_mode):
            return found
    return None


def head(path: str | Path, most: int) -> bytes:
    """The first bytes of a regular file. Raises OSError."""
    return _part(path, most, from_end=False)[0]


def tail(path: str | Path, most: int = LARGEST_FILE) -> tuple[bytes, bool]:
    """The last bytes of a regular file, and whether these are the whole file. Raises OSError."""
    return _part(path, most, from_end=True)


def _part(path: str | Path, most: int, *, from_end: bool) -> tuple[bytes, bool]:
    handle = _opened(path, os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise FileNotFoundError(str(path))
        is_all = found.st_size <= most
        if from_end and not is_all:
            file.seek(found.st_size - most)
        return file.read(most), is_all
