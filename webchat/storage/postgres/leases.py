"""Who may write in a session, among all servers: a row, as long as its server gives signs of life. Knows no reply."""

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
"""Seconds that a writer waits for a lease; one that is released in another place is seen after `PAUSE`."""
PAUSE = 0.05
BEAT = 1.5
"""Seconds between two signs of life."""
IS_ALIVE: LiteralString = """EXISTS (
    SELECT FROM webchat.servers WHERE id = server AND seen > clock_timestamp() - interval '7 seconds'
)"""
"""Whether the server of a row of `conversations` lives. A server that was silent for longer is dead for good: when it
wakes, it has to take another name, and what it held then is lost."""
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

    A row and no advisory lock: that would be kept for a server that stands still, and be lost with a connection of a
    server that works. Whatever is written under a lease is written only if it is still held; see `GUARD`.
    """

    def __init__(self, database: Database, started: Callable[[], None]) -> None:
        """`started` is called before the first lease is acquired: it sees to it that `beat` is called from then on."""
        self._database, self._started = database, started
        self.begin_anew()

    def begin_anew(self) -> None:
        """Hold nothing, under another name: after a fork the parent's leases are the parent's."""
        self._server = uuid.uuid4()
        self._beaten = float("-inf")
        self._beating = threading.Lock()
        self._changed = threading.Condition()
        self._held: dict[str, int | None] = {}
        """By session the number of its lease, which no other ever has; None while it is being acquired."""
        self._unreleased: set[tuple[str, int]] = set()
        """Names and numbers of what could not be released, because the database was away."""

    def acquire(self, session_id: str) -> Release:
        return self.take(session_id, PATIENCE)

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
        # Chosen here, so that it is known also if the database's answer is lost, and can be given up.
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
        """The lease of this process in the session, also one that it has lost without knowing."""
        return self._held.get(session_id)

    def require(self, session_id: str) -> None:
        """Raises LeaseLost if this process had the lease, and has it no more."""
        if self.held(session_id) is not None:
            self._require(session_id, _HAS)

    def keep(self, name: str) -> None:
        """Keep the lock until the transaction ends. Raises LeaseLost if this process has it no more."""
        self._require(name, _KEEP)

    def _require(self, name: str, statement: LiteralString) -> None:
        if not self._database.one(statement, (text(name), self.held(name))):
            raise LeaseLost

    def beat(self) -> None:
        """Give a sign of life. A server that was silent for too long takes another name."""
        with self._beating:  # or two threads would take two names, one of which nobody keeps alive
            began = time.monotonic()
            if not self._database.one(_SIGN_OF_LIFE, (self._server,)):
                self._server = uuid.uuid4()
                self._database.rows(_SIGN_OF_LIFE, (self._server,))
            self._beaten = began
        for name, number in tuple(self._unreleased):
            self._give_up(name, number)

    @property
    def is_working(self) -> bool:
        """Whether signs of life are due."""
        return bool(self._held or self._unreleased)

    def _release(self, name: str, number: int) -> None:
        with self._changed:
            if self._held.get(name) != number:
                return
            self._unreleased.add((name, number))
        try:
            self._give_up(name, number)
        except OSError:  # the next sign of life, or the next who acquires it here, makes up for it
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
        """Remove the names of servers that are gone."""
        self._database.rows("DELETE FROM webchat.servers WHERE seen < clock_timestamp() - interval '1 hour'")


GUARD: LiteralString = f"(%(lease)s::bigint IS NULL OR (lease = %(lease)s AND {IS_ALIVE}))"
"""What a row of `conversations` must fulfil for a writer with that `lease` to change it; None: one without a lease."""
