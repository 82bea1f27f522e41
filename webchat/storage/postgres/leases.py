"""Leases of sessions, across servers: a row that is valid while its server sends heartbeats. Knows no reply."""

from __future__ import annotations

import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import LiteralString

from webchat.errors import LeaseLost, SessionBusy, StorageError
from webchat.storage.postgres.database import Database, text
from webchat.storage.protocols import Release

PATIENCE = 1.0
"""Seconds that a writer waits for a lease; a release by another server is noticed after `PAUSE`."""
PAUSE = 0.05
BEAT = 1.5
"""Seconds between two heartbeats."""
IS_ALIVE: LiteralString = """EXISTS (
    SELECT FROM webchat.servers WHERE id = server AND seen > clock_timestamp() - interval '7 seconds'
)"""
"""Whether the server of a row of `conversations` is alive. A server that was silent for longer is dead for good: when
it wakes, it must take another name, and its leases are lost."""
_SIGN_OF_LIFE: LiteralString = """
INSERT INTO webchat.servers AS known (id, seen) VALUES (%s, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET seen = clock_timestamp() WHERE known.seen > clock_timestamp() - interval '7 seconds'
RETURNING id
"""
_TAKE: LiteralString = f"""
INSERT INTO webchat.conversations AS known (session_id, server, lease) VALUES (%s, %s, %s)
ON CONFLICT (session_id) DO UPDATE SET server = excluded.server, lease = excluded.lease
WHERE known.server IS NULL OR known.lease = ANY(%s)
    OR NOT {IS_ALIVE.replace("= server", "= known.server")}
RETURNING lease
"""
_HAS: LiteralString = f"SELECT true FROM webchat.conversations WHERE session_id = %s AND lease = %s AND {IS_ALIVE}"
_KEEP: LiteralString = f"{_HAS} FOR UPDATE"


class PostgresLeases:
    """See `webchat.storage.protocols.Leases`.

    A row, not an advisory lock: a hanging server would keep such a lock, and a working one would lose it with its
    connection. Anything written under a lease is written only if the lease is still held; see `GUARD`.
    """

    def __init__(self, database: Database, started: Callable[[], None]) -> None:
        """`started` is called before a lease is acquired; it must make sure that `beat` is called from then on."""
        self._database, self._started = database, started
        self.patience = PATIENCE
        self.begin_anew()

    def begin_anew(self) -> None:
        """Start without leases, under a new name: after a fork the leases belong to the parent."""
        self._server = uuid.uuid4()
        self._beaten = float("-inf")
        self._beating = threading.Lock()
        self._changed = threading.Condition()
        self._held: dict[str, int | None] = {}
        """By session: the unique number of its lease; None while it is being acquired."""
        self._unreleased: set[tuple[str, int]] = set()
        """Names and numbers of leases that could not be released because the database was away."""

    def acquire(self, session_id: str) -> Release:
        return self.take(session_id, self.patience)

    def take(self, name: str, patience: float) -> Release:
        """Acquire the lease of a session, or the lock with that name. Raises SessionBusy, StorageError."""
        end = time.monotonic() + patience
        with self._changed:
            if not self._changed.wait_for(lambda: name not in self._held, patience):
                raise SessionBusy
            self._held[name] = None
        held = None
        try:
            held = self._taken(name, end)
        except OSError as error:
            raise StorageError("The message could not be saved", error) from error
        finally:
            with self._changed:
                if held is None:
                    del self._held[name]
                    self._changed.notify_all()
                else:
                    self._held[name] = held
        return partial(self._release, name, held)

    @contextmanager
    def locked(self, name: str, patience: float, busy: Callable[[], Exception] = SessionBusy) -> Iterator[None]:
        """Hold the lock with that name for a block. Raises `busy()` if somebody else has it, StorageError."""
        try:
            release = self.take(name, patience)
        except SessionBusy as error:
            raise busy() from error
        try:
            yield
        finally:
            release()

    def _taken(self, name: str, end: float) -> int:
        self._started()
        # Chosen here, so that it is known, and the lease can be released, even if the database's response is lost.
        number = secrets.randbits(62)
        while True:
            if time.monotonic() - self._beaten > BEAT:
                self.beat()
            mine = [(known, left) for known, left in tuple(self._unreleased) if known == name]
            numbers = [number, *(left for _, left in mine)]
            try:
                found = self._database.one(_TAKE, (text(name), self._server, number, numbers))
            except OSError:
                self._unreleased.add((name, number))
                raise
            if found:
                self._unreleased.difference_update(mine)
                return number
            if time.monotonic() > end:
                raise SessionBusy
            time.sleep(PAUSE)

    def is_held(self, session_id: str) -> bool:
        found = self._database.one(
            f"SELECT {IS_ALIVE} FROM webchat.conversations WHERE session_id = %s", (text(session_id),)
        )
        return bool(found and found[0])

    def held(self, session_id: str) -> int | None:
        """This process's lease of the session; it may have been lost without this process knowing."""
        return self._held.get(session_id)

    def require(self, session_id: str) -> None:
        """Raises LeaseLost if this process has lost its lease of the session."""
        if self.held(session_id) is not None:
            self._require(session_id, _HAS)

    def keep(self, name: str) -> None:
        """Hold the lease at least until the transaction ends. Raises LeaseLost if this process has lost it."""
        self._require(name, _KEEP)

    def _require(self, name: str, statement: LiteralString) -> None:
        if not self._database.one(statement, (text(name), self.held(name))):
            raise LeaseLost

    def beat(self) -> None:
        """Send a heartbeat. A server that was silent for too long takes another name."""
        # First the connection: who waits for one of a full pool must not hold up the one that listens, with its own.
        with (
            self._database.connected(),
            self._beating,
        ):  # otherwise two threads might take two names, one of which would get no heartbeats
            began = time.monotonic()
            if not self._database.one(_SIGN_OF_LIFE, (self._server,)):
                self._server = uuid.uuid4()
                self._database.rows(_SIGN_OF_LIFE, (self._server,))
            self._beaten = began
        for name, number in tuple(self._unreleased):
            self._give_up(name, number)

    @property
    def is_working(self) -> bool:
        """Whether heartbeats are needed."""
        return bool(self._held or self._unreleased)

    def _release(self, name: str, number: int) -> None:
        with self._changed:
            if self._held.get(name) != number:
                return
            self._unreleased.add((name, number))
        try:
            self._give_up(name, number)
        except OSError:  # the next heartbeat, or the next caller that acquires it here, releases it
            pass
        finally:
            with self._changed:
                del self._held[name]
                self._changed.notify_all()

    def _give_up(self, name: str, number: int) -> None:
        self._database.rows(
            "UPDATE webchat.conversations SET server = NULL, lease = NULL WHERE session_id = %s AND lease = %s",
            (text(name), number),
        )
        self._unreleased.discard((name, number))

    def forget(self) -> None:
        """Remove the rows of dead servers."""
        self._database.rows("DELETE FROM webchat.servers WHERE seen < clock_timestamp() - interval '1 hour'")


GUARD: LiteralString = f"(%(lease)s::bigint IS NULL OR (lease = %(lease)s AND {IS_ALIVE}))"
"""SQL: whether a writer with this `lease` may change a row of `conversations`; NULL for a writer without a lease."""
