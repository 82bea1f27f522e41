"""The common clock of all servers of a database: the database's own."""

from __future__ import annotations

import time
from collections.abc import Callable

from webchat.chat.times import time_of
from webchat.storage.postgres.database import Database

AGREES_FOR = 60.0
"""Seconds after which this machine's clock is compared with the database's again."""


def _elapsed() -> float:
    """Seconds since some moment, counted also while the machine sleeps, if it can. Unlike the date it is never set."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class DatabaseClock:
    """The database's clock when last asked, and the time since; asking it each time would cost a round trip."""

    def __init__(self, database: Database, present: Callable[[], float] = _elapsed) -> None:
        """`present` returns this machine's time, in seconds since any moment."""
        self._database, self._present = database, present
        self._ahead = 0.0
        """Seconds by which the database's clock, since 1970, is ahead of ours."""
        self._compared = float("-inf")

    def now(self) -> str:
        """The time, ISO 8601 in UTC, without asking the database; see `compare`."""
        return time_of(self._present() + self._ahead)

    def compare(self) -> None:
        """Compare this machine's clock with the database's, unless that was done recently. Raises OSError."""
        if self._present() - self._compared >= AGREES_FOR:
            self._database.insist(self._compare)

    def _compare(self) -> None:
        with self._database.connected():  # the time that it takes to connect is none of the question's
            began = self._present()
            database = float(self._database.one("SELECT extract(epoch FROM clock_timestamp())")[0])
            ended = self._present()
        self._ahead, self._compared = database - (began + ended) / 2, began
