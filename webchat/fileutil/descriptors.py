"""Reads and writes open files. Knows no folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

from webchat.fileutil.folder import Stamp


def stamp_of(found: os.stat_result) -> Stamp:
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ino)


def read_at(fd: int, offset: int, size: int) -> bytes:
    """The bytes of an open file from `offset` on, `size` at most. Raises OSError."""
    parts, left = [], size
    while left > 0 and (part := os.pread(fd, left, offset)):
        parts.append(part)
        offset += len(part)
        left -= len(part)
    return b"".join(parts)


def append(fd: int, end: int, data: bytes, *, sync: bool = False) -> int:
    """Append `data`, all of it or nothing; returns the new size. Raises OSError."""
    written = 0
    try:
        while written < len(data):  # a nearly full disk writes a part, and the next call raises the error
            written += os.write(fd, data[written:])
        if sync:
            os.fsync(fd)
    except OSError:
        with suppress(OSError):
            os.ftruncate(fd, end)
        raise
    return end + written


def start_writing(fd: int) -> None:
    """Make the system start writing its cache; some systems cannot be asked for that, and do not need it."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def unlink(path: str) -> None:
    """Remove a temporary file, if it is still there."""
    with suppress(OSError):
        os.unlink(path)  # noqa: PTH108


def unlink_all(paths: Iterable[str]) -> None:
    for path in paths:
        unlink(path)
