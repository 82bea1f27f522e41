"""Documents in PostgreSQL, where each person has their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from webchat.fileutil import Locked
from webchat.storage.postgres.database import Database
from webchat.storage.postgres.leases import PostgresLeases
from webchat.storage.protocols.documents import Draft, name_of

FRESH = 1.0
"""Seconds for which a version is cached if changes are notified: each request needs it."""
PATIENCE = 5.0
"""Seconds that a change waits for the lock."""


class PostgresDocuments:
    """See `webchat.storage.protocols.Documents`."""

    are_private = False
    """Backups, replicas and the database's administrators have them, too."""

    def __init__(
        self,
        database: Database,
        leases: PostgresLeases,
        changed: Callable[[str], None],
        is_notified: Callable[[], bool],
    ) -> None:
        """`changed` is called with the name of a document after each change of it.

        `is_notified` says whether other servers' changes are notified, by calls of `forget`.
        """
        self._database, self._leases, self._changed, self._is_notified = database, leases, changed, is_notified
        self._versions: dict[str, tuple[float, object]] = {}
        """By document: when its version was read, by the monotonic clock, and the version."""

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
        with self._leases.locked(_lock_of(name), PATIENCE, lambda: Locked(name)):
            before = self.read(name)
            draft = Draft(before)
            yield draft
            with self._database.transaction():
                self._leases.keep(_lock_of(name))
                if draft.damaged and before is not None:
                    self._database.rows(
                        "INSERT INTO webchat.documents "
                        "SELECT 'damaged/' || name || '/' || version, version, body FROM webchat.documents "
                        "WHERE name = %s ON CONFLICT DO NOTHING",
                        (name,),
                    )
                if draft.data != before:
                    self._put(name, draft.data)
                    self._database.then(lambda: self._note_change(name))
                if draft.data is None:  # the lock's name may tell whose document it was
                    self._database.rows("DELETE FROM webchat.conversations WHERE session_id = %s", (_lock_of(name),))

    def _note_change(self, name: str) -> None:
        self.forget(name)
        self._changed(name)

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
        now = time.monotonic()
        looked, version = self._versions.get(name, (float("-inf"), None))
        if now - looked >= FRESH or not self._is_notified():
            found = self._database.one("SELECT version FROM webchat.documents WHERE name = %s", (name,))
            version = found[0] if found else None
            self._versions[name] = now, version
        return version

    def forget(self, name: str) -> None:
        """Discard the cached version of this document, or of all ("")."""
        if name:
            self._versions.pop(name, None)
        else:
            self._versions.clear()


def _lock_of(name: str) -> str:
    return f":document:{name}"
