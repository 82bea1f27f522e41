"""Decides when new pieces of an answer are written to its log, and so become visible. Knows no record."""

from __future__ import annotations

import time
from dataclasses import dataclass

LONG, LONG_INTERVAL = 1_600, 0.2
"""From so many bytes on, an answer has this write interval in seconds: nobody has read most of it yet."""
QUIET = 0.005
"""Seconds without a piece after which a burst is taken to be complete."""
STEADY = 3
"""So many pieces in a row, each after such a pause, mean that there are no bursts to wait for."""
NEARLY = 0.8
"""The share of the write interval after which a reply's own thread writes: its next piece may come too late."""


@dataclass
class ReplyTimes:
    """Times for all replies of one chat, in seconds."""

    write_interval: float = 0.1
    """Between two writes of an answer's log, and so between two updates of its readers. Pieces in between are written
    together: waking a thread costs more than the write itself."""
    own_write: float = 0.3
    """Since the last write, after which a reply's own thread writes."""
    silence: float = 10.0
    """The status reports a silence of this length, and is then updated every `silence_step`."""
    silence_step: float = 5.0


class WritePace:
    """Decides for one reply when to write. Times are in seconds of the monotonic clock."""

    def __init__(self, times: ReplyTimes) -> None:
        self._times = times
        self.rests = False
        """Whether the backend says when a burst is complete: then the reply's own thread writes it at once."""
        self.is_one_of_few = True
        """Whether the reply's own thread, which is awake anyway, writes steady pieces. With many replies it is cheaper
        if one thread writes for all."""
        self._interval = times.write_interval
        self._written_at = self._tried_at = self._unwritten_since = 0.0
        self._came_at = self._rested_at = time.monotonic()
        self._alone = 0
        """Pieces in a row that were not part of a burst."""

    def come(self, now: float, size: int, *, is_first: bool) -> None:
        """Note that a piece has come, of an answer of `size` bytes; `is_first`: all before it is written."""
        self._alone = self._alone + 1 if now - self._came_at > QUIET else 0
        self._interval = self._times.write_interval if size < LONG else LONG_INTERVAL
        self._came_at = now
        if is_first:
            self._unwritten_since = now

    def begin(self, now: float) -> None:
        """Note that a write begins."""
        self._tried_at = now

    def end(self, now: float) -> None:
        """Note that the write has succeeded."""
        self._written_at = now

    def rest(self, now: float) -> bool:
        """Note that a burst is complete, as the backend says. Returns whether to write it.

        That is so if the last write was long enough ago, or will be too long ago when the next burst is complete.
        """
        self.rests = True
        gap, self._rested_at = now - self._rested_at, now
        return self._is_free(now) or now + gap - self._tried_at > self._interval

    def is_own_turn(self, now: float) -> bool:
        """Whether the reply's own thread should write the piece that has come."""
        return now - self._written_at > self._times.own_write or (self._is_steady and self._is_free(now))

    def _is_free(self, now: float) -> bool:
        """Whether the last write was long enough ago for the reply's own thread to write again."""
        return now - self._tried_at >= self._interval * NEARLY

    @property
    def _is_steady(self) -> bool:
        return self.is_one_of_few and self._alone >= STEADY

    def due_in(self, *, has_unwritten: bool) -> float:
        """Seconds until another thread may have to write."""
        now = time.monotonic()
        earliest = self._tried_at + self._interval
        if self.rests or self._is_steady:
            return self._times.own_write
        if not has_unwritten:
            own_write = self._times.own_write
            return own_write if now >= self._written_at + own_write else earliest - now
        complete = max(self._came_at + QUIET, earliest)
        return min(complete, max(self._unwritten_since, self._tried_at) + self._interval) - now
