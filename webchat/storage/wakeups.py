"""Wakes the readers of this process for changes by its writers. Knows no file and no page."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue

POLL_INTERVAL = 0.25
"""Seconds between two polls for changes of other processes and of other sessions: waking all readers for every message
would cost more than the messages themselves."""


class Waiter:
    """Waits for a change in one session. Readers do not delay `urgent` changes, and may sleep through others.

    A SimpleQueue waits in C, which takes a fifth of an Event's time.
    """

    def __init__(self) -> None:
        self._pokes: SimpleQueue[None] = SimpleQueue()
        self._has_changed = self._is_urgent = False
        self._sleeps = False
        """Whether only an urgent change should wake the waiting thread: waking it costs more than its work."""
        self._call: tuple[Callable[[], object], bool] | None = None

    def poke(self, urgent: bool) -> None:
        # In this order: a waiter that has just stopped sleeping checks whether something has changed.
        self._has_changed = True
        if urgent:
            self._is_urgent = True
        if (urgent or not self._sleeps) and self._pokes.empty():  # one is enough: the waiter re-reads everything
            self._pokes.put(None)
        self._notify()

    def call(self, wake: Callable[[], object], *, urgent: bool) -> None:
        """Register `wake`, to be called when `wait` would end, possibly more than once: now, or by the writer."""
        self._call = wake, urgent
        self._notify()

    def _notify(self) -> None:
        call = self._call
        if call and self.is_notified(urgent=call[1]):
            call[0]()

    def is_notified(self, *, urgent: bool) -> bool:
        """Whether there was a change, or an urgent one, since `clear`."""
        return self._is_urgent or (self._has_changed and not urgent)

    def clear(self) -> None:
        """Reset; called before reading, so that no change between reading and waiting is missed."""
        self._has_changed = self._is_urgent = False
        while not self._pokes.empty():
            self._pokes.get()

    def wait(self, timeout: float, *, urgent: bool = False) -> bool:
        """Wait for a change, or an urgent one, since `clear`, for `timeout` seconds; returns whether one came."""
        end = time.monotonic() + timeout
        self._sleeps = urgent
        while not self.is_notified(urgent=urgent):
            try:
                self._pokes.get(timeout=max(0.0, end - time.monotonic()))
            except Empty:
                return self.is_notified(urgent=urgent)
        return True


@dataclass(frozen=True, eq=False)
class Pause:
    """A wait for a change in one session, at most until that time of the monotonic clock; see `Waiter.wait`.

    A thread can block in `wait`, or leave and have `wake` called.
    """

    waiter: Waiter
    until: float
    urgent: bool = False

    @property
    def is_over(self) -> bool:
        return self.waiter.is_notified(urgent=self.urgent) or time.monotonic() >= self.until

    def wait(self) -> None:
        self.waiter.wait(self.until - time.monotonic(), urgent=self.urgent)

    def call(self, wake: Callable[[], object]) -> None:
        """Register `wake`, to be called at the change, possibly more than once; not called when the time is up."""
        self.waiter.call(wake, urgent=self.urgent)


class Wakeups:
    """The waiters of this process, by session.

    Leaving never blocks: the garbage collector may close an abandoned stream in any thread at any moment, even in one
    that holds this lock.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiters: dict[str, set[Waiter]] = {}
        self._left: deque[tuple[str, Waiter]] = deque()

    @contextmanager
    def listen(self, session_id: str) -> Iterator[Waiter]:
        waiter = Waiter()
        with self._guard:
            self._waiters.setdefault(session_id, set()).add(waiter)
        try:
            yield waiter
        finally:
            self._left.append((session_id, waiter))
            if self._guard.acquire(blocking=False):
                try:
                    self._forget()
                finally:
                    self._guard.release()

    def _forget(self) -> None:
        """Remove the waiters that have left. Needs the lock."""
        while self._left:
            session_id, waiter = self._left.popleft()
            waiters = self._waiters[session_id]
            waiters.discard(waiter)
            if not waiters:
                del self._waiters[session_id]

    def poke(self, session_id: str, *, urgent: bool) -> None:
        """Something changed in this session."""
        with self._guard:
            self._forget()
            waiters = tuple(self._waiters.get(session_id, ()))
        for waiter in waiters:
            waiter.poke(urgent)

    def poke_all(self, *, urgent: bool = True) -> None:
        """Wake all readers, for a shutdown for example."""
        with self._guard:
            self._forget()
            waiters = [waiter for group in self._waiters.values() for waiter in group]
        for waiter in waiters:
            waiter.poke(urgent)
