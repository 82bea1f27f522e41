"""The limits of an import, its progress, and its cancellation. Knows no format."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

MIB = 1024 * 1024
PIECE = 128 * 1024
"""Bytes per read. Larger reads map new memory each time, which takes half as long as parsing."""
BUFFER = 256 * 1024
"""Bytes of the read buffer."""
LARGEST_READ = 16 * MIB
"""The most bytes that a library may request at once."""


@dataclass(frozen=True)
class Bounds:
    """The maximum of each.

    conversation: bytes of one conversation of another program. session: bytes of one of our own, each line of which has
    the bounds of a conversation. values: objects, lists, texts and numbers in one, or lines in one of our own. depth:
    how deep they are nested. unpacked: bytes that a zip unpacks to. files, list_of_files: how many a zip has, and the
    bytes of its list of them. seconds: for one import.
    """

    conversation: int = 32 * MIB
    session: int = 128 * MIB
    values: int = 1_000_000
    depth: int = 100
    unpacked: int = 8 * 1024 * MIB
    files: int = 50_000
    list_of_files: int = LARGEST_READ
    seconds: float = float("inf")


class Stopped(Exception):
    """The import ends before its file does; the text says why."""


class TooMuchAtOnce(ValueError):
    """A library has requested more in one piece than an import may hold."""


@dataclass
class Watch:
    """The progress of one import. Any thread may read it and cancel the import.

    `has_gone` says whether the client has disconnected; `on_progress` is called after each read.
    """

    bounds: Bounds = Bounds()
    has_gone: Callable[[], bool] = lambda: False
    on_progress: Callable[[Watch], None] = lambda watch: None
    files: int = 1
    added: int = 0
    """Sessions imported so far."""
    file_name: str = ""
    """The name of the file whose turn it is; "" if it is not known."""
    is_sent: bool = False
    """Whether the request with the files has arrived."""
    is_over: bool = False
    _files_read: int = -1
    _read: int = 0
    _size: int = 0
    _unpacked: int = 0
    _copied: int = 0
    _cancelled: threading.Event = field(default_factory=threading.Event)
    _started: float = field(default_factory=time.monotonic)

    def begin(self, size: int) -> None:
        """Begin the next file, which has so many bytes."""
        if not self.has_begun:
            self._started = time.monotonic()
        self._files_read += 1
        self._unpacked = self._copied = 0
        self.expect(size)

    def expect(self, size: int) -> None:
        """Note that so many bytes of the file are left to read."""
        self._read, self._size = 0, size

    @property
    def has_begun(self) -> bool:
        return self._files_read >= 0

    @property
    def age(self) -> float:
        """Seconds since the import began or, before that, since this object was made."""
        return time.monotonic() - self._started

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        done = max(0, self._files_read) + min(1.0, self._read / max(1, self._size))
        return min(1.0, done / self.files)

    def cancel(self) -> None:
        """End the import soon. What was imported by then stays."""
        self._cancelled.set()

    def count(self, size: int) -> None:
        """Note that more bytes of the file have been read. Raises Stopped."""
        self._read += size
        self.check()

    def unpack(self, size: int) -> None:
        """Note that more bytes have been unpacked from a zip. Raises Stopped."""
        self._unpacked += size
        if self._unpacked > self.bounds.unpacked:
            raise Stopped(f"the zip unpacks to more than {size_of(self.bounds.unpacked)}")
        self.check()

    def may_copy(self, size: int) -> bool:
        """Whether so many more bytes of the zips in a zip may be copied before their own turn, which counts them.

        Raises Stopped.
        """
        self._copied += size
        self.check()
        return self._copied <= self.bounds.unpacked

    def check(self) -> None:
        """Raises Stopped if the import is to end."""
        if self.is_cancelled:
            raise Stopped("it was cancelled")
        if self.has_gone():
            raise Stopped("the connection was closed")
        if self.age > self.bounds.seconds:
            raise Stopped(f"it took longer than {self.bounds.seconds:g} seconds")
        self.on_progress(self)


class _Raw(io.RawIOBase):
    """A file that reports how much of it has been read."""

    def __init__(self, file: IO[bytes], count: Callable[[int], None]) -> None:
        self._file, self._count = file, count

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  (mypy knows the protocol from Python 3.12 on)
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._count(len(data))
        return len(data)


class CountedFile(io.BufferedReader):
    """A seekable file; `count` is called with the size of each read, and may raise."""

    def __init__(self, file: IO[bytes], count: Callable[[int], None], largest_read: int = LARGEST_READ) -> None:
        super().__init__(_Raw(file, count), BUFFER)
        self._largest_read = largest_read

    def read(self, size: int | None = -1, /) -> bytes:
        """As a file's `read`. Raises TooMuchAtOnce."""
        most = self._largest_read + 1
        wanted = most if size is None or size < 0 else size
        data = super().read(wanted) if wanted <= most else b""
        if wanted > most or len(data) == most:
            raise TooMuchAtOnce
        return data


def size_of(count: int) -> str:
    """A number of bytes in words."""
    return f"{count / MIB:g} MiB"
