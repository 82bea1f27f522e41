"""The system's locks on open files, which it releases whenever their process ends. Knows no folder."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from functools import partial
from io import FileIO

LOOK_INTERVAL = 0.01
"""Seconds between two tries."""


def acquire(opened: Callable[[], int], timeout: float) -> Callable[[], None] | None:
    """Lock the file for which `opened` returns a new descriptor; returns the function that unlocks it, from any thread.

    None if others have held the lock for `timeout` seconds. The lock is also released if the function is dropped.
    Raises OSError.
    """
    end = time.monotonic() + timeout
    while True:
        file = FileIO(opened(), "rb")
        if _is_ours(file):
            return partial(_release, [file])
        file.close()
        if time.monotonic() >= end:
            return None
        time.sleep(LOOK_INTERVAL)


def is_held(fd: int) -> bool:
    """Whether anybody, in this process or another, holds the lock of an open file. The probe is momentary."""
    try:
        # Shared, so that two probes do not take each other for a writer. Closing the file releases it.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _is_ours(file: FileIO) -> bool:
    """Whether the file is locked now, and is still the one that others would open."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(file.fileno()).st_nlink > 0


def _release(held: list[FileIO]) -> None:
    while held:
        file = held.pop()
        fcntl.flock(file, fcntl.LOCK_UN)  # a forked process may have it open, too
        file.close()
