"""Manages the connections to PostgreSQL. Knows no table."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg import Connection, conninfo
from psycopg_pool import ConnectionPool

from webchat.chat.plain import without_surrogates
from webchat.errors import InvalidInput, StorageAway
from webchat.observer import NOBODY, Observer, timed
from webchat.storage.postgres.failures import as_ours
from webchat.storage.postgres.schema import FOLDING

log = logging.getLogger(__name__)
T = TypeVar("T")
Parameters = Sequence[Any] | Mapping[str, Any]
CONNECTIONS = 20
"""The most connections of a process, besides the one that listens."""
PATIENCE = 10.0
"""Seconds that a call waits for a connection, and in total for a database that cannot be reached."""
SHORT_PATIENCE = 1.0
"""The same if the database has been away for `PATIENCE`: not all threads must wait for it."""
RECONNECT = 4.0
"""Seconds for which the pool reconnects by itself; afterwards the next call makes it try. Its pauses double, so this
limits how late it notices that the database is back."""
_DEFAULTS: dict[str, Any] = {
    "application_name": "webchat",
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 4000,
}
LONGEST = 9.0
"""Seconds for one step of a statement: the server itself cancels it earlier, unless it hangs."""
_SETTINGS: LiteralString = f"""
SET webchat.folding = '{FOLDING}';
SET default_transaction_isolation = 'read committed';
SET idle_session_timeout = 0;
SET client_encoding = 'UTF8'
"""
"""What all depends on, whatever is set for the role or the database."""
LIMITS: LiteralString = """
SET statement_timeout = '8s';
SET lock_timeout = '5s';
SET idle_in_transaction_session_timeout = '7s'
"""
"""For requests: somebody waits for each."""
_NO_LIMITS: LiteralString = """
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0
"""


class _Connection(Connection):
    """A connection with a time limit: a hanging server may still acknowledge packets, so no TCP timeout ends it."""

    good_at = float("-inf")
    """When the connection last worked, by the monotonic clock."""
    longest: float | None = LONGEST

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:  # noqa: ANN401
        return super().wait(gen, interval, self.longest if timeout is None else timeout)

    def note_good(self) -> None:
        self.good_at = time.monotonic()

    def require_good(self, since: float) -> None:
        """Test the connection, briefly, if it has not worked since then."""
        if self.good_at < since:
            self.longest = SHORT_PATIENCE
            try:
                self.execute("SELECT 1")
            finally:
                self.longest = LONGEST
            self.note_good()


class Database:
    """Runs statements, each on a connection of the pool or, in a block of `transaction`, all on one.

    All methods raise StorageAway if the database cannot be reached, and OSError for its other errors.
    """

    connections, limits = CONNECTIONS, LIMITS

    def __init__(self, url: str, observer: Observer = NOBODY) -> None:
        """`observer` measures writes. Raises InvalidInput for an invalid address. Opens no connection."""
        self.observer = observer
        try:
            given = conninfo.conninfo_to_dict(url)
            self._address = conninfo.make_conninfo("", **(_DEFAULTS | given))
        except psycopg.ProgrammingError:  # the error's text may quote the password
            raise InvalidInput(
                "The database's address cannot be read. It looks like postgresql://name:password@host:5432/database."
            ) from None
        self.place = _place_of(given)
        """The address without secrets."""
        self._guard = threading.Lock()
        self._pool: ConnectionPool[_Connection] | None = None
        self._process = 0
        self._joined = threading.local()
        self._is_away = self.is_closed = False
        self._away_since = self._failed = float("-inf")
        """When a connection last broke: others that have not worked since may be broken, too."""

    @contextmanager
    def connection(self, *, limited: bool = True) -> Iterator[Connection]:
        """A separate connection for a block. Without `limited`, its statements have no time limit."""
        with as_ours(self.note):
            connection = _Connection.connect(self._address, autocommit=True)
            try:
                self._prepare(connection, limited=limited)
                yield connection
            finally:
                connection.close()

    @contextmanager
    def alone(self, *, limited: bool = True) -> Iterator[Connection]:
        """The same, also used for all other calls of this thread in the block."""
        with self.connection(limited=limited) as connection, self._joining(connection):
            yield connection

    @contextmanager
    def transaction(self, writes: str = "replace", *, has_one: bool = False) -> Iterator[Connection]:
        """One transaction for a block, with all other calls of its thread. `writes` names it for the observer."""
        joined = self._joined_connection
        if joined is not None:
            with joined.transaction():
                yield joined
            return
        with as_ours(self.note), self._opened().connection(self._patience) as connection:
            is_timed = timed(self.observer, writes) if writes else nullcontext()
            # A block that has one statement only needs no BEGIN and COMMIT, but its check does.
            is_single = has_one and not hasattr(self._joined, "check")
            with self._joining(connection), is_timed, nullcontext() if is_single else connection.transaction():
                self._joined.then = then = list[Callable[[], None]]()
                yield connection
                self._may_commit()
            connection.note_good()
        for call in then:  # the calls may need a connection, too
            call()

    @contextmanager
    def connected(self) -> Iterator[None]:
        """One connection for all calls of this thread in the block; each statement is a transaction of its own."""
        if self._joined_connection is not None:
            yield
            return
        with as_ours(self.note), self._opened().connection(self._patience) as connection:
            with self._joining(connection):
                yield
            connection.note_good()

    @contextmanager
    def fenced(self, check: Callable[[], None]) -> Iterator[None]:
        """For a block, have each transaction of this thread end with that check, which may raise."""
        self._joined.check = check
        try:
            yield
        finally:
            del self._joined.check

    def _may_commit(self) -> None:
        check: Callable[[], None] | None = getattr(self._joined, "check", None)
        if check:
            check()

    @contextmanager
    def _joining(self, connection: Connection) -> Iterator[None]:
        self._joined.connection, self._joined.then = connection, None
        try:
            yield
        finally:
            self._joined.connection = self._joined.then = None

    @property
    def _joined_connection(self) -> Connection | None:
        connection: Connection | None = getattr(self._joined, "connection", None)
        return connection

    def then(self, call: Callable[[], None]) -> None:
        """Make this call after the thread's transaction is committed, or now if there is none."""
        then = getattr(self._joined, "then", None)
        if then is None:
            call()
        else:
            then.append(call)

    def rows(self, statement: LiteralString, parameters: Parameters = (), *, again: bool = True) -> list[Any]:
        """Run one statement and return its rows.

        With `again` it is retried if its connection breaks, and may then have been run twice.
        """
        joined = self._joined_connection
        if joined is not None:
            return _fetched(joined, statement, parameters)
        return self.insist(lambda: self._rows(statement, parameters)) if again else self._rows(statement, parameters)

    def one(self, statement: LiteralString, parameters: Parameters = (), *, again: bool = True) -> Any:  # noqa: ANN401
        """The first row, or None."""
        return next(iter(self.rows(statement, parameters, again=again)), None)

    def insist(self, call: Callable[[], T]) -> T:
        """Retry the call while its connection breaks, as long as callers wait for the database.

        The call must be idempotent.
        """
        end = time.monotonic() + self._patience
        while True:
            try:
                return call()
            except StorageAway as error:
                if error.is_refused or self.is_closed or time.monotonic() > end or self._joined_connection is not None:
                    raise
            time.sleep(0.1)  # the pool has dropped that connection, and opens another one

    def close(self) -> None:
        """Close all connections; later calls raise StorageAway."""
        with self._guard:
            self.is_closed = True
            pool, self._pool = self._pool, None
        if pool and self._process == os.getpid():
            pool.close()

    def _rows(self, statement: LiteralString, parameters: Parameters) -> list[Any]:
        with as_ours(self.note), self._opened().connection(self._patience) as connection:
            rows = _fetched(connection, statement, parameters)
            connection.note_good()
            return rows

    @property
    def _patience(self) -> float:
        if not self._is_away:
            return PATIENCE
        return max(SHORT_PATIENCE, self._away_since + PATIENCE - time.monotonic())

    def note(self, *, away: bool) -> None:
        """Note whether the database was reached."""
        if away:
            self._failed = time.monotonic()
        if away != self._is_away and not self.is_closed:
            log.warning("the database cannot be reached" if away else "the database is back")
            self._is_away, self._away_since = away, time.monotonic()

    def _prepare(self, connection: _Connection, *, limited: bool = True) -> None:
        connection.execute(_SETTINGS)
        connection.execute(self.limits if limited else _NO_LIMITS)
        if not limited:
            connection.longest = None

    def _opened(self) -> ConnectionPool[_Connection]:
        """The pool of this process: one that was created before a fork belongs to the parent."""
        pool = self._pool
        if pool is None or self._process != os.getpid():
            with self._guard:
                pool = self._pool
                if self.is_closed:
                    raise StorageAway
                if pool is None or self._process != os.getpid():
                    pool = self._pool = ConnectionPool(
                        self._address,
                        connection_class=_Connection,
                        min_size=1,
                        max_size=self.connections,
                        kwargs={"autocommit": True},
                        configure=self._prepare,
                        check=lambda connection: connection.require_good(self._failed),
                        timeout=PATIENCE,
                        reconnect_timeout=RECONNECT,
                        open=True,
                    )
                    self._process = os.getpid()
        return pool


def _fetched(connection: Connection, statement: LiteralString, parameters: Parameters) -> list[Any]:
    cursor = connection.execute(statement, parameters)
    return cursor.fetchall() if cursor.description else []


def _place_of(given: dict[str, Any]) -> str:
    host, port = given.get("host") or "local socket", given.get("port")
    return f"{given.get('dbname') or given.get('user') or 'default database'} at {host}" + (f":{port}" if port else "")


def text(value: str) -> str:
    """A text that PostgreSQL can store: without NUL and lone surrogates."""
    return without_surrogates(value.replace("\0", "\ufffd"))
