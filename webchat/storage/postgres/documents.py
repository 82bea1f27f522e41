"""Documents in PostgreSQL, where each person has their own."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from webchat.errors import SessionBusy
from webchat.fileutil import Locked
from webchat.storage.postgres.database import Database
from webchat.storage.postgres.leases import PostgresLeases
from webchat.storage.protocols.documents import Draft, name_of

PATIENCE = 5.0
"""Seconds that a change waits for another one."""


class PostgresDocuments:
    """See `webchat.storage.protocols.Documents`."""

    are_private = False
    """Backups, replicas and whoever runs the database have them too."""

    def __init__(self, database: Database, leases: PostgresLeases) -> None:
        self._database, self._leases = database, leases

    def of(self, kind: str, owner: str | None) -> str:
        return name_of(kind, owner)

    def names(self, kind: str) -> Collection[str]:
        rows = self._database.rows(
            "SELECT name FROM webchat.documents WHERE split_part(name, '/', 1) = %s ORDER BY name", (kind,)
        )
        return [row[0] for row in rows]

    def read(self, name: str) -> bytes | None:
        found = self._database.one("SELECT body FROM webchat.documents WHERE name = %s", (name,))
        return bytes(found[0]) if found else None

    @contextmanager
    def changing(self, name: str) -> Iterator[Draft]:
        try:
            release = self._leases.take(f":document:{name}", PATIENCE)
        except SessionBusy as error:
            raise Locked(name) from error
        try:
            before = self.read(name)
            draft = Draft(before)
            yield draft
            with self._database.transaction():
                if draft.damaged and before is not None:
                    self._database.rows(
                        "INSERT INTO webchat.documents "
                        "SELECT 'damaged/' || name || '/' || version, version, body FROM webchat.documents "
                        "WHERE name = %s ON CONFLICT DO NOTHING",
                        (name,),
                    )
                if draft.data != before:
                    self._put(name, draft.data)
        finally:
            release()

    def _put(self, name: str, data: bytes | None) -> None:
        if data is None:
            self._database.rows("DELETE FROM webchat.documents WHERE name = %s", (name,))
            return
        self._database.rows(
            """INSERT INTO webchat.documents VALUES (%s, nextval('webchat.numbers'), %s)
            ON CONFLICT (name) DO UPDATE SET version = excluded.version, body = excluded.body""",
            (name, data),
        )

    def version(self, name: str) -> object:
        found = self._database.one("SELECT version FROM webchat.documents WHERE name = %s", (name,))
        return found[0] if found else None
