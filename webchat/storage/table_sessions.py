"""The records of sessions in a table that is read as a whole, ordered by latest activity."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

from webchat.chat.search import TitleQuery
from webchat.chat.session import Row, WebChatSession, kept_since, session_of
from webchat.chat.times import seconds_of
from webchat.errors import LimitReached, SessionExists
from webchat.storage.listing import Listing
from webchat.storage.protocols import CLAIMED, Lookup, Shelf
from webchat.storage.table import NEWER, Registry, Rows, Table, Touches, count_of, without_current

_SHELVES: Mapping[str, tuple[str, ...]] = {"list": ("list",), "archive": ("archive",), "both": ("list", "archive")}


class TableSessions:
    """See `webchat.storage.protocols.Sessions`. Keys that this version does not know survive."""

    def __init__(self, table: Table, touches: Touches) -> None:
        self._table, self.touches = table, touches
        self._listing, self._listing_lock = Listing(touches), threading.Lock()
        self._listed: object = None
        """The state for which the listing's versions were last updated."""

    # Reading

    def get(self, session_id: str) -> WebChatSession | None:
        row = self._rows.get(session_id)
        if row is None or row.get("owner") == CLAIMED:
            return None
        moment = self.touches.latest(session_id)
        session = session_of(row)
        return replace(session, last_active=moment.at) if moment else session

    def row(self, session_id: str) -> Row | None:
        row = self._rows.get(session_id)
        return dict(row) if row else None

    def with_key(self, owner: str | None, key: str) -> str | None:
        return self._table.read().keyed.get((owner, key))

    def current(self, owner: str | None) -> WebChatSession | None:
        session_id = self._table.read().current.get(owner)
        return self.get(session_id) if session_id else None

    def page(
        self,
        owner: str | None,
        shelf: Shelf,
        query: TitleQuery | None = None,
        start: int = 0,
        count: int | None = None,
        folder: str | None = None,
    ) -> list[WebChatSession]:
        with self._up_to_date() as listing:
            found: Iterable[WebChatSession]
            if shelf == "trash":
                trash = listing.sessions(owner, ("trash",))
                found = sorted(trash, key=lambda session: seconds_of(session.deleted_at or ""), reverse=True)
            else:
                found = (item for item in listing.sessions(owner, _SHELVES[shelf]) if item.begun or item.is_active)
            if query:
                found = (session for session in found if query.matches(session.description))
            if folder is not None:
                found = (session for session in found if session.working_dir == folder)
            return list(islice(found, start, None if count is None else start + count))

    def all_of(self, owner: str | None) -> list[WebChatSession]:
        with self._up_to_date() as listing:
            return list(listing.by_time(owner))

    def with_trash(self, owner: str | None) -> list[WebChatSession]:
        """All of a person's sessions, those in the trash among them."""
        with self._up_to_date() as listing:
            return list(listing.sessions(owner, ("list", "archive", "trash")))

    def owners(self) -> set[str | None]:
        """Everybody who has a session, if only in the trash."""
        with self._up_to_date() as listing:
            return listing.owners() - {CLAIMED}

    def deleted_before(self, moment: float) -> list[str]:
        deleted = ((key, kept_since(row)) for key, row in self._rows.items() if row.get("deleted_at"))
        # A time that somebody wrote by hand may be invalid: such a session is kept.
        return [key for key, since in deleted if float("-inf") < since < moment]

    def newest_deleted(self) -> float:
        deleted = (kept_since(row) for row in self._rows.values() if row.get("deleted_at"))
        return max(deleted, default=float("-inf"))

    def newest(self) -> float:
        return self.touches.newest

    def lookup(self) -> Lookup:
        return self._rows.get

    def version(self, owner: str | None) -> object:
        state = self._table.stamp(), self.touches.stamp()  # read first: later changes are then seen next time
        with self._listing_lock:
            if state != self._listed:
                self._listing.update(self._rows)
                self._listed = state
            return self._listing.versions[owner]

    @property
    def read_only(self) -> bool:
        return self._table.read().newer

    @property
    def notice(self) -> str | None:
        registry = self._table.read()
        if registry.newer:
            return NEWER
        if registry.damaged:
            return "Part of the list of sessions could not be read. A copy will be made before it is changed."
        if self._table.kept_aside:
            return f"Part of the list of sessions could not be read; a copy of it is in {self._table.kept_aside}."
        return None

    @property
    def is_damaged(self) -> bool:
        return self._table.read().damaged

    # Writing

    def insert(self, row: Row, most: int) -> None:
        session_id, owner, key = row["session_id"], row.get("owner"), row.get("key")

        def insert(rows: Rows) -> Rows:
            if session_id in rows:
                raise SessionExists(session_id)
            known = Registry(rows).keyed.get((owner, key)) if key else None
            if known:
                raise SessionExists(known)
            _require_room(rows, owner, 1, most)
            return {**without_current(rows, owner), session_id: row}

        self._table.update(insert)

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
        changed: dict[str, Row] = {}

        def write(rows: Rows) -> Rows:
            _require_room(rows, owner, more, most)
            changed.update({key: change(key, rows.get(key)) for key in session_ids})
            if all(rows.get(key) == row for key, row in changed.items()):
                return rows
            return {**(without_current(rows, owner) if make_current else rows), **changed}

        self._table.update(write)
        return list(changed.values())

    def delete(self, session_ids: Collection[str], check: Callable[[str, Row | None], object]) -> None:
        gone = {*session_ids}

        def write(rows: Rows) -> Rows:
            for session_id in gone:
                check(session_id, rows.get(session_id))
            return {key: row for key, row in rows.items() if key not in gone}

        self._table.update(write)

    def add_missing(self, new: Collection[Row], is_there: Callable[[str], bool]) -> list[str]:
        """Add these records unless they exist; `is_there` says whether a transcript still exists. Returns their ids.

        A purge removes the record last.
        """
        added: list[str] = []

        def write(rows: Rows) -> Rows:
            fresh = {row["session_id"]: row for row in new if row["session_id"] not in rows}
            fresh = {name: row for name, row in fresh.items() if is_there(name)}
            added[:] = fresh
            return {**rows, **fresh}

        if new:
            self._table.update(write)
        return added

    def require_room(self, owner: str | None, more: int, most: int) -> None:
        _require_room(self._rows, owner, more, most)

    def touch(self, times: Mapping[str, str], what: str) -> None:
        self.touches.note_all(times, what)

    def claim(self, choose: Callable[[Lookup], Collection[str]], owner: str | None, most: int) -> None:
        def write(rows: Rows) -> Rows:
            claimed = choose(rows.get)
            _require_room(rows, owner, len(claimed), most)
            return {**rows, **{name: {"session_id": name, "owner": CLAIMED} for name in claimed}}

        self._table.update(write)

    def complete(self, rows: Collection[Row]) -> None:
        completed = {row["session_id"]: row for row in rows}
        self._table.update(lambda known: {**known, **completed})

    def drop_claims(self, session_ids: Collection[str]) -> None:
        gone = {*session_ids}

        def write(rows: Rows) -> Rows:
            return {key: row for key, row in rows.items() if key not in gone or row.get("owner") != CLAIMED}

        self._table.update(write)

    def claimed(self) -> list[str]:
        return [key for key, row in self._rows.items() if row.get("owner") == CLAIMED]

    def mend(self) -> None:
        self._table.update(lambda rows: rows)

    # Internals

    @property
    def _rows(self) -> Rows:
        return self._table.read().rows

    @contextmanager
    def _up_to_date(self) -> Iterator[Listing]:
        with self._listing_lock:
            self._listing.update(self._rows)
            yield self._listing


def _require_room(rows: Rows, owner: str | None, more: int, most: int) -> None:
    # Counting iterates over all sessions; not needed if even all of them are below the limit.
    if most and more and len(rows) + more > most and count_of(rows, owner) + more > most:
        raise LimitReached(most)
