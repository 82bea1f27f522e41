"""The storage engine in PostgreSQL, for any number of servers."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, LiteralString
from weakref import WeakSet

from psycopg import Connection, Rollback

from webchat.chat.reply import left_record
from webchat.errors import InvalidInput, WebChatError
from webchat.fileutil import Locked, jsonlines
from webchat.observer import NOBODY, Observer
from webchat.storage.postgres.bus import PostgresBus
from webchat.storage.postgres.clock import DatabaseClock
from webchat.storage.postgres.database import Database
from webchat.storage.postgres.documents import PostgresDocuments
from webchat.storage.postgres.leases import PostgresLeases
from webchat.storage.postgres.pictures import PostgresPictures
from webchat.storage.postgres.queue import PostgresQueue, lock_of
from webchat.storage.postgres.replies import PostgresReplyLogs
from webchat.storage.postgres.schema import migrate
from webchat.storage.postgres.session_rows import person_of
from webchat.storage.postgres.sessions import PostgresSessions
from webchat.storage.postgres.transcripts import PostgresTranscripts
from webchat.storage.postgres.words import PostgresSearch
from webchat.storage.protocols import Kept, Texts
from webchat.storage.search import SearchIndex

log = logging.getLogger(__name__)
IMPORTS, PURGES = ":imports", ":purges"
"""Names of locks. No session's id begins with a colon."""
PURGES_WAIT = 5.0
"""Seconds that a purge waits for another one."""
HEARD_WITHIN = 5.0
"""Seconds in which a test notification must arrive at the start."""


_KEPT: LiteralString = """
SELECT person, count(*), count(*) FILTER (WHERE shelf = 'trash'),
    coalesce(sum(bytes), 0) + coalesce(sum(pictures), 0) + coalesce(sum(octet_length(items)), 0),
    max(coalesce(at, last_active))
FROM webchat.sessions LEFT JOIN webchat.conversations USING (session_id)
LEFT JOIN webchat.queues USING (session_id) LEFT JOIN """
_KEPT_BY_ONE: LiteralString = f"""{_KEPT} LATERAL (
    SELECT sum(size) AS pictures FROM webchat.session_pictures AS p WHERE p.session_id = sessions.session_id
) AS its ON true WHERE shelf <> 'claim' AND person = %s GROUP BY person
"""
_KEPT_BY_ALL: LiteralString = f"""{_KEPT} (
    SELECT session_id, sum(size) AS pictures FROM webchat.session_pictures GROUP BY session_id
) AS its USING (session_id) WHERE shelf <> 'claim' GROUP BY person ORDER BY person
"""


_STORAGES: WeakSet[PostgresStorage] = WeakSet()


def _begin_anew() -> None:
    for storage in _STORAGES:
        storage.begin_anew()


if hasattr(os, "register_at_fork"):  # applications are often created before a server forks
    os.register_at_fork(after_in_child=_begin_anew)


class _Probed(Exception):
    """The database takes writes."""


class PostgresStorage:
    """See `webchat.storage.protocols.Storage`."""

    def __init__(self, url: str, observer: Observer = NOBODY) -> None:
        """Connects, and creates or migrates the tables; `observer` measures writes.

        Raises InvalidInput, StorageAway, OSError.
        """
        self.database = database = Database(url, observer)
        with database.connection(limited=False) as connection:
            _require_unicode(connection)
            migrate(connection)
            _require_notifications(connection, database)
        self._clock = DatabaseClock(database)
        self._clock.compare()
        self.now = self._clock.now
        self.leases = PostgresLeases(database, lambda: self.bus.link.start())
        self.transcripts = PostgresTranscripts(database, self.leases)
        self.replies = PostgresReplyLogs(
            database, self.transcripts, self.leases, lambda session_id: self.bus.publish(session_id, urgent=False)
        )
        self.queue, self.pictures = PostgresQueue(database, self.leases), PostgresPictures(database)
        self.documents = PostgresDocuments(
            database, self.leases, lambda name: self.bus.document_changed(name), lambda: self.bus.link.is_listening
        )
        self.bus = PostgresBus(
            database, self.leases, self.replies.was_asked, self.documents.forget, self._clock.compare
        )
        self.sessions = PostgresSessions(database, self.bus.list_changed, self.bus.version)
        _STORAGES.add(self)
        self.search = PostgresSearch(database, self.transcripts, self.leases)
        self._indexes: list[SearchIndex] = []

    is_for_several = True

    @property
    def place(self) -> str:
        version = self.database.one("SHOW server_version")[0].partition(" ")[0]
        return f"PostgreSQL {version}, {self.database.place}"

    def index_of(self, texts: Texts, name: str) -> SearchIndex:
        # In memory: these texts are on this server, not in the database.
        self._indexes.append(SearchIndex(texts))
        return self._indexes[-1]

    def begin_anew(self) -> None:
        """Become a separate server: called in the child after a fork."""
        self.leases.begin_anew()
        self.replies.writer.begin_anew()
        self.bus.begin_anew()

    def has(self, session_id: str) -> bool:
        return self.transcripts.version(session_id) is not None or self.replies.version(session_id) is not None

    def queued(self) -> dict[str, object]:
        rows = self.database.rows(
            """SELECT q.session_id, q.version, incarnation, lines, reply, records
            FROM webchat.queues AS q LEFT JOIN webchat.conversations AS c USING (session_id)"""
        )
        return {row[0]: tuple(row[1:]) for row in rows}

    def export(self, session_id: str) -> bytes:
        view, data = self.replies.view(session_id), self.transcripts.raw(session_id)
        left = left_record(view, self.transcripts.read(session_id).messages)
        return data if left is None else jsonlines.followed_by(data, left)

    def kept_by(self, owner: str | None) -> Kept:
        found = self.database.one(_KEPT_BY_ONE, (person_of(owner),))
        return replace(_kept(found), owner=owner) if found else Kept(owner)

    def people(self) -> list[Kept]:
        with self.database.alone(limited=False):  # for a command, which may take longer than a request
            return [_kept(found) for found in self.database.rows(_KEPT_BY_ALL)]

    def discard(self, session_ids: Collection[str]) -> list[str]:
        return [session_id for session_id in session_ids if self._is_removed(session_id)]

    def _is_removed(self, session_id: str) -> bool:
        try:
            release = self.leases.acquire(session_id)
            try:
                self._remove([session_id], lambda: None)
            finally:
                release()
        except (WebChatError, OSError):
            log.warning("the rest of session %s could not be removed", session_id, exc_info=True)
            return False
        return True

    def purge(self, session_ids: Collection[str], forget: Callable[[], None]) -> None:
        with self.without_purges(), ExitStack() as leases:
            for session_id in session_ids:
                leases.callback(self.leases.acquire(session_id))
            self._remove(session_ids, forget)

    def _remove(self, session_ids: Collection[str], forget: Callable[[], None]) -> None:
        """Remove what there is of sessions of which this process has the leases. Raises LeaseLost."""
        names = [*session_ids]
        with self.database.transaction() as connection:
            for name in names:
                self.leases.keep(name)
            forget()
            connection.execute(
                "DELETE FROM webchat.reply_lines USING webchat.conversations AS c "
                "WHERE c.session_id = ANY(%s) AND reply_lines.reply = c.reply",
                (names,),
            )
            for table in ("lines", "words", "queues", "reindexing"):
                connection.execute(f"DELETE FROM webchat.{table} WHERE session_id = ANY(%s)".encode(), (names,))
            self.pictures.remove(names)
            rows = [*names, *map(lock_of, names)]
            connection.execute("DELETE FROM webchat.conversations WHERE session_id = ANY(%s)", (rows,))
        self.transcripts.drop_cached(names)

    @contextmanager
    def without_purges(self) -> Iterator[None]:
        with self.leases.locked(PURGES, PURGES_WAIT):
            yield

    @contextmanager
    def importing(self, patience: float) -> Iterator[None]:
        with self.leases.locked(IMPORTS, patience, lambda: Locked(IMPORTS)):
            # Once another import may run, it takes what is claimed for what a crash has left.
            with self.database.fenced(lambda: self.leases.keep(IMPORTS)):
                yield

    def is_importing(self) -> bool:
        return self.leases.is_held(IMPORTS)

    def recover(self) -> None:
        """A crash leaves nothing unfinished, only rows of dead servers."""
        self.leases.forget()

    def adopt(self) -> list[str]:
        return []

    def free(self) -> int | None:
        return None

    def probe(self) -> None:
        self.database.insist(self._write_and_undo)

    def _write_and_undo(self) -> None:
        """A row in a table that is there may fit in a page that is there, too: this needs another page."""
        with self.database.transaction() as connection:
            connection.execute("CREATE TEMPORARY TABLE probe (written text) ON COMMIT DROP")
            connection.execute("INSERT INTO probe VALUES ('')")
            connection.execute("SELECT nextval('webchat.numbers')")
            raise Rollback

    def close(self) -> None:
        self.bus.close()
        for index in self._indexes:
            index.close()
        self.database.close()


def _kept(found: Sequence[Any]) -> Kept:
    return Kept(found[0] or None, found[1], found[2], int(found[3]), found[4])


def _require_unicode(connection: Connection) -> None:
    """Raises InvalidInput for a database that cannot hold every text."""
    found = connection.execute("SHOW server_encoding").fetchone()
    if found and found[0] != "UTF8":
        raise InvalidInput(
            f"The database's encoding is {found[0]}, which cannot hold every text. The chat needs UTF8: create another "
            "database with `createdb -E UTF8 -T template0 NAME`, and give its address."
        )


def _require_notifications(listener: Connection, database: Database) -> None:
    """Raises InvalidInput if a notification does not reach a listening connection.

    This happens behind PgBouncer in transaction mode, where each transaction may use another connection.
    """
    listener.execute("LISTEN webchat_test")
    with database.connection() as sender:
        sender.execute("NOTIFY webchat_test")
    if not any(True for _ in listener.notifies(timeout=HEARD_WITHIN, stop_after=1)):
        raise InvalidInput(
            "The database's notifications do not arrive, as happens behind a pooler in transaction mode (PgBouncer). "
            "Give the address of the database itself, or of a pooler in session mode."
        )
