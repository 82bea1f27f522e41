"""The limits of one chat. Knows no file, no session and no setting."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from webchat.errors import TooBusy

T = TypeVar("T")
MIB = 1024 * 1024
CHOSEN = {"model": 200, "system_prompt": 10_000, "agent": 100}
"""The options of a session, with their limits in characters: they are stored in the registry."""
MOST_QUEUED = 100
"""The most messages in one session's queue, including those that were taken back."""
TEMPORARY_SESSIONS = 20
"""The most temporary sessions of one person, including empty ones."""
TEMPORARY_HOURS = 12
"""Hours after its last message at which a temporary chat ends by itself."""


@dataclass(frozen=True)
class Limits:
    """The maximum of each; 0 is no limit.

    message, title: characters. sessions: of one person, without the trash. replies: written at once by this process,
    in all and for each client. answer_time: seconds that one answer may take. free_disk: bytes that must be left on
    the disk for anything new to be written. messages_per_minute, imports_per_minute: of one person, by all processes.
    kept: bytes of one person's transcripts, queues and pictures, with the trash.
    """

    message: int = 1_048_576
    title: int = 300
    sessions: int = 100_000
    replies: int = 250
    replies_per_client: int = 100
    answer_time: float = 3600.0
    free_disk: int = 100 * MIB
    messages_per_minute: int = 0
    imports_per_minute: int = 0
    kept: int = 0


def drop_oldest(kept: OrderedDict[str, T], size_of: Callable[[T], int], most: int, most_size: int) -> list[T]:
    """Drop the oldest above this number, and above this size together, but not the last one; returns them."""
    size, dropped = sum(map(size_of, kept.values())), []
    while len(kept) > most or (size > most_size and len(kept) > 1):
        dropped.append(kept.popitem(last=False)[1])
        size -= size_of(dropped[-1])
    return dropped


class Places:
    """Slots: how many answers or streams may be open at once, in total and for each client."""

    def __init__(self, most: int, most_of_one: int, busy: str) -> None:
        """0 is no limit. `busy` is the error's text for a client that has reached its own."""
        self._most, self._most_of_one, self._busy = most, most_of_one, busy
        self._guard = threading.Lock()
        self._of: Counter[str | None] = Counter()

    def require(self, client: str | None, most: int | None = None) -> None:
        """Raises TooBusy if no slot is free; `most` overrides the total."""
        most = self._most if most is None else most
        if 0 < most <= self.taken:
            raise TooBusy
        if client is not None and 0 < self._most_of_one <= self._of[client]:
            raise TooBusy(self._busy)

    def take(self, client: str | None, most: int | None = None) -> Callable[[], None]:
        """Acquire a slot; returns the function that releases it, once. `client` None counts for the total only.

        Raises TooBusy.
        """
        with self._guard:
            self.require(client, most)
            self._of[client] += 1
        return partial(self._give, client, [True])

    def _give(self, client: str | None, held: list[bool]) -> None:
        with self._guard:
            if held:
                held.clear()
                self._of[client] -= 1
                self._of += Counter()  # which drops what is at 0

    @property
    def taken(self) -> int:
        return self._of.total()


class Turnstile:
    """Lets callers pass in order of arrival, a few at a time, and low-priority callers after all others.

    Threads that compute in parallel take turns, so that all end late; one after the other, most end early.
    This only sets an order: if nobody has passed for `patience` seconds, waiting callers go on in parallel.
    """

    def __init__(self, at_once: int, patience: float) -> None:
        self.patience, self._free = patience, at_once
        self._guard, self._passed = threading.Lock(), 0
        self._first: deque[threading.Lock] = deque()
        """What each caller waits for, in order. With a semaphore newcomers could overtake."""
        self._last: deque[threading.Lock] = deque()
        """The same for low-priority callers."""

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Pass for the duration of a block."""
        has_place = self._enter(self._first, self.patience)
        try:
            yield
        finally:
            if has_place:
                self._leave()

    @contextmanager
    def passing_last(self, patience: float) -> Iterator[None]:
        """The same with low priority: once nobody waits in `passing`, or after `patience` seconds."""
        has_place = self._enter(self._last, patience, whoever_passes=True)
        try:
            yield
        finally:
            if has_place:
                self._leave()

    @property
    def waiting(self) -> int:
        """How many callers wait for a place."""
        return len(self._first) + len(self._last)

    def _enter(self, queue: deque[threading.Lock], patience: float, *, whoever_passes: bool = False) -> bool:
        """Wait for a place as long as others pass or, with `whoever_passes`, once; returns whether one was given."""
        turn = threading.Lock()
        with self._guard:
            if self._free:
                self._free -= 1
                return True
            turn.acquire()
            queue.append(turn)
            before = self._passed
        while not turn.acquire(timeout=patience):
            with self._guard:
                if turn in queue and (whoever_passes or before == self._passed):
                    queue.remove(turn)
                    return False
                before = self._passed
        return True

    def _leave(self) -> None:
        """Give the place to the caller that has waited longest."""
        with self._guard:
            self._passed += 1
            queue = self._first or self._last
            if queue:
                queue.popleft().release()
            else:
                self._free += 1
