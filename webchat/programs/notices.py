"""Notices of changes in folders, by inotify. Knows no program.

There are none without inotify, nor for changes that another machine makes on a network drive: callers must also poll.
"""

from __future__ import annotations

import ctypes
import os
import select
from collections.abc import Iterable
from contextlib import suppress

_MODIFY, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x40, 0x80, 0x100, 0x200
_ONLY_FOLDERS, _NO_LINKS = 0x1000000, 0x2000000
_EVENTS = _MODIFY | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _ONLY_FOLDERS | _NO_LINKS
_READ_AT_ONCE = 65_536


class Notices:
    """Used by one thread."""

    def __init__(self) -> None:
        self._fd = -1
        with suppress(OSError, AttributeError):  # another system
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)

    @property
    def come(self) -> bool:
        """Whether the system sends any."""
        return self._fd >= 0

    def watch(self, folders: Iterable[str]) -> None:
        """Watch these folders as well. Folders that are watched already, or cannot be, are ignored."""
        if self.come:
            for folder in folders:
                self._libc.inotify_add_watch(self._fd, os.fsencode(folder), _EVENTS)

    def wait(self, seconds: float) -> bool:
        """Wait for a notice, for so many seconds at most; returns whether there is one."""
        poll = select.poll()
        if self.come:
            poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(1000 * seconds))

    def forget(self) -> None:
        """Discard the notices so far."""
        with suppress(OSError):  # raised when none are left
            while self.come and os.read(self._fd, _READ_AT_ONCE):
                pass

    def close(self) -> None:
        """Stop watching."""
        if self.come:
            os.close(self._fd)
        self._fd = -1
