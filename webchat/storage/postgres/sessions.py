"""The records of sessions in PostgreSQL. Knows no message."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from itertools import islice

from webchat.chat.search import TitleQuery
from webchat.chat.session import Row, WebChatSession
from webchat.chat.times import seconds_of
from webchat.errors import LimitReached, SessionExists
from webchat.observer import timed
from webchat.storage.postgres.database import Database, text
from webchat.storage.postgres.session_rows import (
    COLUMNS,
    NOTE,
    NOTE_IMPORTS,
    in_order,
    leave_current,
    locked,
    number_of,
    one_at_a_time,
    person_of,
    require_claims,
    row_of,
    session_from,
    streamed,
    trash,
    write,
)
from webchat.storage.protocols import CLAIMED, Lookup, Shelf

log = logging.getLogger(__name__)
_SHELVES: Mapping[str, tuple[str, ...]] = {"list": ("list",), "archive": ("archive",), "both": ("list", "archive")}


class PostgresSessions:
    """See `webchat.storage.protocols.Sessions`."""

    read_only = False
    """Always false: a database of a later version is refused when it is opened."""
    notice: str | None = None
    is_damaged = False

    def __init__(
        self,
        database: Database,
        changed: Callable[[Collection[str]], None],
        version: Callable[[str | None], object],
    ) -> None:
        """`changed` is called after each change with the people whose lists have changed; it updates `version`."""
        self._database, self._notify, self.version = database, changed, version

    def _changed(self, owners: Iterable[str | None]) -> None:
        people = {person_of(owner) for owner in owners}
        self._database.then(lambda: self._notify(people))

    # Reading

    def get(self, session_id: str) -> WebChatSession | None:
        found = self._database.one(
            f"SELECT {COLUMNS} FROM webchat.sessions WHERE session_id = %s AND shelf <> 'claim'", (text(session_id),)
        )
        return session_from(found) if found else None

    def row(self, session_id: str) -> Row | None:
        found = self._database.one(f"SELECT {COLUMNS} FROM webchat.sessions WHERE session_id = %s", (text(session_id),))
        return row_of(found) if found else None

    def with_key(self, owner: str | None, key: str) -> str | None:
        found = self._database.one(
            "SELECT session_id FROM webchat.sessions WHERE person = %s AND key = %s AND shelf <> 'trash' LIMIT 1",
            (person_of(owner), text(key)),
        )
        return found[0] if found else None

    def current(self, owner: str | None) -> WebChatSession | None:
        found = self._database.one(
            f"SELECT {COLUMNS} FROM webchat.sessions WHERE person = %s AND is_active AND shelf <> 'claim' LIMIT 1",
            (person_of(owner),),
        )
        return session_from(found) if found else None

    def page(
        self,
        owner: str | None,
        shelf: Shelf,
        query: TitleQuery | None = None,
        start: int = 0,
        count: int | None = None,
        folder: str | None = None,
    ) -> list[WebChatSession]:
        if shelf == "trash":
            statement, parameters = trash(owner, folder)
        else:
            last = None if query or count is None else start + count
            statement, parameters = in_order(owner, _SHELVES[shelf], folder, last)
        if query is None:
            rows = self._database.rows(statement + " LIMIT %s OFFSET %s", (*parameters, count, start))
            return [session_from(row) for row in rows]
        with self._database.transaction("") as connection:
            # Closed before the connection goes back to the pool.
            with closing(streamed(connection, statement, parameters)) as titles:
                found = (session for row in titles if query.matches((session := session_from(row)).description))
                return list(islice(found, start, None if count is None else start + count))

    def all_of(self, owner: str | None) -> list[WebChatSession]:
        rows = self._database.rows(
            f"""SELECT {COLUMNS} FROM webchat.sessions WHERE person = %s AND shelf IN ('list', 'archive')
            ORDER BY moment DESC, number DESC, session_id DESC""",
            (person_of(owner),),
        )
        return [session_from(row) for row in rows]

    def deleted_before(self, moment: float) -> list[str]:
        rows = self._database.rows(
            "SELECT session_id FROM webchat.sessions WHERE shelf = 'trash' AND kept_since > %s AND kept_since < %s",
            (number_of(float("-inf")), number_of(moment)),
        )
        return [row[0] for row in rows]

    def newest_deleted(self) -> float:
        found = self._database.one("SELECT max(kept_since) FROM webchat.sessions WHERE shelf = 'trash'")
        return float("-inf") if found[0] is None else float(found[0])

    def newest(self) -> float:
        # Without records that have no activity here: they may come from an import.
        found = self._database.one(
            "SELECT max(moment) FROM (SELECT moment FROM webchat.sessions WHERE NOT imported AND at IS NOT NULL "
            "ORDER BY moment DESC LIMIT 1) AS newest"
        )
        return float("-inf") if found[0] is None else float(found[0])

    def lookup(self) -> Lookup:
        return self.row

    def claimed(self) -> list[str]:
        rows = self._database.rows("SELECT session_id FROM webchat.sessions WHERE shelf = 'claim'")
        return [row[0] for row in rows]

    # Writing

    def insert(self, row: Row, most: int) -> None:
        session_id, owner, key = row["session_id"], row.get("owner"), row.get("key")
        with self._database.transaction() as connection:
            one_at_a_time(connection, owner)
            if self.row(session_id) is not None:
                raise SessionExists(session_id)
            known = self.with_key(owner, key) if key else None
            if known:
                raise SessionExists(known)
            self.require_room(owner, 1, most)
            leave_current(connection, owner)
            write(connection, [row])
        self._changed([owner])

    def update(
        self,
        session_ids: Collection[str],
        change: Callable[[str, Row | None], Row],
        *,
        owner: str | None = None,
        make_current: bool = False,
        more: int = 0,
        most: int = 0,
    ) -> list[Row]:
        with self._database.transaction() as connection:
            if make_current or more:
                one_at_a_time(connection, owner)
            known = locked(connection, session_ids, owner if make_current else CLAIMED)
            self.require_room(owner, more, most)
            changed = {key: change(key, known.get(key)) for key in session_ids}
            if all(known.get(key) == row for key, row in changed.items()):
                return list(changed.values())
            if make_current:
                leave_current(connection, owner)
            write(connection, changed.values())
        self._changed(row.get("owner") for row in (*known.values(), *changed.values()))
        return list(changed.values())

    def delete(self, session_ids: Collection[str], check: Callable[[str, Row | None], object]) -> None:
        with self._database.transaction() as connection:
            known = locked(connection, session_ids)
            for session_id in session_ids:
                check(session_id, known.get(session_id))
            connection.execute("DELETE FROM webchat.sessions WHERE session_id = ANY(%s)", ([*known],))
        self._changed(row.get("owner") for row in known.values())

    def require_room(self, owner: str | None, more: int, most: int) -> None:
        if not most or not more:
            return
        found = self._database.one(
            "SELECT count(*) FROM webchat.sessions WHERE person = %s AND shelf IN ('list', 'archive')",
            (person_of(owner),),
        )
        if found[0] + more > most:
            raise LimitReached(most)

    def touch(self, times: Mapping[str, str], what: str) -> None:
        seconds = [number_of(seconds_of(at)) for at in times.values()]
        try:
            with self._database.transaction() if what == "import" else timed(self._database.observer, "replace"):
                found = self._database.rows(
                    NOTE_IMPORTS if what == "import" else NOTE, ([*times], seconds, [*times.values()])
                )
        except OSError:
            log.warning("the order of the sessions could not be recorded", exc_info=True)
            return
        self._changed(person for (person,) in found)

    def claim(self, choose: Callable[[Lookup], Collection[str]], owner: str | None, most: int) -> None:
        with self._database.transaction() as connection:
            one_at_a_time(connection, owner)
            claimed = [*choose(self.row)]
            self.require_room(owner, len(claimed), most)
            write(connection, [{"session_id": name, "owner": CLAIMED} for name in claimed])

    def complete(self, rows: Collection[Row]) -> None:
        with self._database.transaction() as connection:
            require_claims(connection, [row["session_id"] for row in rows])
            write(connection, rows)
        self._changed(row.get("owner") for row in rows)

    def drop_claims(self, session_ids: Collection[str]) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM webchat.sessions WHERE session_id = ANY(%s) AND shelf = 'claim'", ([*session_ids],)
            )

    def mend(self) -> None:
        """A database's records are never damaged."""
