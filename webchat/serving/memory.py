"""Keeps the server's process small: collects large garbage, returns freed memory to the system.

Knows no application.
"""

from __future__ import annotations

import ctypes
import gc
import resource
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic

from webchat import threads
from webchat.errors import NoThreads

MALLOC = ((-8, 2), (-3, 256 * 1024))
"""M_ARENA_MAX and M_MMAP_THRESHOLD, see mallopt(3)."""
LOOK_INTERVAL = 1.0
"""Seconds between two checks of the process's size."""
GROWTH = 32 * 2**20
"""Bytes by which the process must grow before garbage is collected."""
SHARE = 50
"""After a collection there is a pause of so many times its duration."""


def give_memory_back() -> None:
    """Make glibc return large blocks at once, and share heaps between threads.

    By default each of many heaps keeps the memory that an answer of 4 MiB needed: 250 MiB instead of 80.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        for option, value in MALLOC:
            libc.mallopt(option, value)


def collect_rarely() -> None:
    """Collect rarely: modules stay, and an answer's objects are mostly freed by reference counting."""
    gc.freeze()  # without collecting first: a start has next to no garbage, and looking for it takes a tenth of one
    gc.set_threshold(20_000)


def resident() -> int:
    """The process's resident memory in bytes; 0 if unknown."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


class Garbage:
    """Collects garbage when the process has grown.

    Python counts objects, not their size: a rendered page and its template's macros reference each other, and a few
    hundred such objects hold hundreds of megabytes during long answers.
    """

    def __init__(self, size: Callable[[], int] = resident, clock: Callable[[], float] = monotonic) -> None:
        self._size, self._clock = size, clock
        self._least, self._not_before = size(), float("-inf")

    def check(self) -> None:
        """Collect garbage if it is likely to hold much."""
        now, began = self._size(), self._clock()
        if now > self._least + GROWTH and began >= self._not_before:
            gc.collect()
            now, ended = self._size(), self._clock()
            self._least, self._not_before = now, ended + SHARE * (ended - began)
        self._least = min(self._least, now)

    def watch(self, stopping: threading.Event) -> None:
        """Check repeatedly, in a thread of its own; without a free thread, Python's own collections must do."""
        with suppress(NoThreads):
            threads.start(self._keep_looking, "memory", stopping)

    def _keep_looking(self, stopping: threading.Event) -> None:
        while not stopping.wait(LOOK_INTERVAL):
            self.check()
