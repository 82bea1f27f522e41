"""Pictures in PostgreSQL. Knows no session's record."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from webchat.storage.postgres.database import Database, text
from webchat.storage.protocols.pictures import key_of


class PostgresPictures:
    """See `Pictures`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, session_id: str, data: bytes, suffix: str) -> str:
        key = key_of(data, suffix)
        with self._database.transaction() as connection:
            # The update locks the row, so that nobody removes it before it is used; the bytes are not written again.
            connection.execute(
                "INSERT INTO webchat.pictures VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET key = EXCLUDED.key",
                (key, data),
            )
            connection.execute(
                "INSERT INTO webchat.session_pictures VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (session_id, key, len(data)),
            )
        return key

    def read(self, session_id: str, key: str) -> bytes | None:
        found = self._database.one(
            "SELECT data FROM webchat.pictures JOIN webchat.session_pictures USING (key) "
            "WHERE session_id = %s AND key = %s",
            (text(session_id), text(key)),
        )
        return bytes(found[0]) if found else None

    def sizes(self, session_id: str) -> Mapping[str, int]:
        rows = self._database.rows(
            "SELECT key, size FROM webchat.session_pictures WHERE session_id = %s", (text(session_id),)
        )
        return {key: int(size) for key, size in rows}

    def copy(self, session_id: str, to: str, keys: Collection[str]) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO webchat.session_pictures SELECT %s, key, size FROM webchat.session_pictures "
                "WHERE session_id = %s AND key = ANY(%s) ON CONFLICT DO NOTHING",
                (to, session_id, [*keys]),
            )

    def remove(self, session_ids: Collection[str]) -> None:
        """Remove these sessions' pictures, and bytes that no other session uses."""
        with self._database.transaction() as connection:
            found = connection.execute(
                "DELETE FROM webchat.session_pictures WHERE session_id = ANY(%s) RETURNING key", ([*session_ids],)
            )
            keys = sorted({key for (key,) in found})
            # Locked before checking whether another session uses them: adding a use takes the same lock.
            connection.execute("SELECT FROM webchat.pictures WHERE key = ANY(%s) ORDER BY key FOR UPDATE", (keys,))
            connection.execute(
                "DELETE FROM webchat.pictures WHERE key = ANY(%s) "
                "AND NOT EXISTS (SELECT FROM webchat.session_pictures AS s WHERE s.key = pictures.key)",
                (keys,),
            )
