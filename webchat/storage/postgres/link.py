"""The connection on which a process receives notifications and sends its heartbeats."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from psycopg import Connection

from webchat import threads
from webchat.storage.postgres.database import Database
from webchat.storage.postgres.leases import BEAT, PostgresLeases

log = logging.getLogger(__name__)
CHANNEL = "webchat"
AGAIN = 0.5
"""Seconds until a broken connection is replaced."""
LISTENS = 0.25
"""Seconds to wait for notifications before doing anything else."""


class Link:
    """Listens in a thread, from `start` on; replaces broken connections."""

    def __init__(
        self,
        database: Database,
        leases: PostgresLeases,
        heard: Callable[[str], None],
        joined: Callable[[], None],
        beat: Callable[[], None],
    ) -> None:
        """`heard` is called with each notification, and `beat` regularly.

        `joined` is called whenever a connection is made: earlier notifications are lost.
        """
        self._database, self._leases = database, leases
        self._heard, self._has_joined, self._beat = heard, joined, beat
        self._stopping = threading.Event()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Start without a thread: after a fork the thread belongs to the parent."""
        self._guard, self._running = threading.Lock(), False
        self._beaten = 0.0
        self.is_listening = False
        """Whether notifications are received."""

    def start(self) -> None:
        """Start the thread, unless it is running. Raises NoThreads."""
        with self._guard:
            if not self._running:
                threads.start(self._run, "link")
                self._running = True

    def close(self) -> None:
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._database.alone() as connection:
                    self._listen(connection)
            except OSError:
                log.debug("the connection to the other servers broke", exc_info=True)
            except Exception:  # without this thread the process would lose all its leases
                log.exception("a notification from another server could not be parsed")
            self.is_listening = False
            self._stopping.wait(AGAIN)

    def _listen(self, connection: Connection) -> None:
        connection.execute(f"LISTEN {CHANNEL}")
        self.is_listening = True
        self._has_joined()
        while not self._stopping.is_set():
            self._beat()
            for notify in connection.notifies(timeout=LISTENS):
                self._heard(notify.payload)
            if self._leases.is_working and time.monotonic() - self._beaten >= BEAT:
                self._beaten = time.monotonic()
                self._leases.beat()
