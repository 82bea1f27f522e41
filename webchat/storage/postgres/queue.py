"""The queued messages in PostgreSQL. Knows no rule of the queue."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from webchat.chat.queued import QueuedMessage, queued_of
from webchat.errors import TooBusy
from webchat.fileutil import jsonlines
from webchat.storage.postgres.database import Database, text
from webchat.storage.postgres.leases import PostgresLeases

PATIENCE = 5.0
"""Seconds that a change waits for the lock: while a message is being sent, its queue is locked."""


class PostgresQueue:
    """See `webchat.storage.protocols.Queue`."""

    def __init__(self, database: Database, leases: PostgresLeases) -> None:
        self._database, self._leases = database, leases

    def items(self, session_id: str) -> tuple[QueuedMessage, ...]:
        found = self._database.one("SELECT items FROM webchat.queues WHERE session_id = %s", (text(session_id),))
        records = (record for _, record in jsonlines.parse(bytes(found[0]) if found else b"") if record)
        return tuple(item for record in records if (item := queued_of(record)))

    @contextmanager
    def changing(self, session_id: str) -> Iterator[list[QueuedMessage]]:
        # Not one transaction for the block: others must see at once what is done in it, for example a message that is
        # sent.
        with self._leases.locked(lock_of(session_id), PATIENCE, TooBusy):
            before = self.items(session_id)
            items = [*before]
            yield items
            if tuple(items) != before:
                self._put(session_id, items)

    def _put(self, session_id: str, items: Collection[QueuedMessage]) -> None:
        with self._database.transaction():
            self._leases.keep(lock_of(session_id))
            if not items:
                self._database.rows("DELETE FROM webchat.queues WHERE session_id = %s", (session_id,))
                return
            self._database.rows(
                """INSERT INTO webchat.queues VALUES (%s, nextval('webchat.numbers'), %s)
                ON CONFLICT (session_id) DO UPDATE SET version = excluded.version, items = excluded.items""",
                (session_id, jsonlines.dump_all(item.record() for item in items)),
            )

    def sessions(self) -> Collection[str]:
        return [row[0] for row in self._database.rows("SELECT session_id FROM webchat.queues")]

    def version(self, session_id: str) -> object:
        found = self._database.one("SELECT version FROM webchat.queues WHERE session_id = %s", (text(session_id),))
        return found[0] if found else None


def lock_of(session_id: str) -> str:
    """The name of the lock under which a session's queue is changed."""
    return f":queue:{session_id}"
