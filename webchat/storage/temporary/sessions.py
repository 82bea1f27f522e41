"""The records of sessions; those of temporary ones are in memory. Knows no message."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from webchat.chat.search import TitleQuery
from webchat.chat.session import TEMPORARY, Row, WebChatSession
from webchat.errors import LimitReached, SessionExists
from webchat.limits import TEMPORARY_SESSIONS
from webchat.storage.protocols import Lookup, Sessions, Shelf
from webchat.storage.temporary.engines import Engines

ENDED = "\0ended"
"""The owner of an ended temporary session, for an import: its id stays temporary. Nobody's name has a NUL."""


class RoutedSessions:
    """See `webchat.storage.protocols.Sessions`.

    While a temporary session is its owner's current one, no other session is current; their records are not changed for
    that.
    """

    def __init__(self, engines: Engines) -> None:
        self._main, self._memory, self._temporary = engines.main.sessions, engines.memory.sessions, engines.temporary
        self._inserting = threading.Lock()

    # Reading

    def get(self, session_id: str) -> WebChatSession | None:
        session = self._of(session_id).get(session_id)
        return self._as_seen([session])[0] if session else None

    def row(self, session_id: str) -> Row | None:
        row = self._of(session_id).row(session_id)
        return {name: value for name, value in row.items() if name != TEMPORARY} if row else None

    def with_key(self, owner: str | None, key: str) -> str | None:
        return self._memory.with_key(owner, key) or self._main.with_key(owner, key)

    def current(self, owner: str | None) -> WebChatSession | None:
        return self._memory.current(owner) or self._main.current(owner)

    def page(
        self,
        owner: str | None,
        shelf: Shelf,
        query: TitleQuery | None = None,
        start: int = 0,
        count: int | None = None,
        folder: str | None = None,
    ) -> list[WebChatSession]:
        """Temporary sessions come first."""
        temporary = self._memory.page(owner, shelf, query, 0, None, folder)
        first = temporary[start : None if count is None else start + count]
        left = None if count is None else count - len(first)
        others = self._main.page(owner, shelf, query, max(0, start - len(temporary)), left, folder)
        return [*first, *self._as_seen(others)]

    def all_of(self, owner: str | None) -> list[WebChatSession]:
        """Temporary sessions come first."""
        return [*self._memory.all_of(owner), *self._as_seen(self._main.all_of(owner))]

    def deleted_before(self, moment: float) -> list[str]:
        return self._main.deleted_before(moment)

    def newest_deleted(self) -> float:
        return self._main.newest_deleted()

    def newest(self) -> float:
        return self._main.newest()

    def lookup(self) -> Lookup:
        """An ended temporary session looks like somebody else's, so that an import gives its copy another id."""
        return self._looked_up(self._main.lookup())

    def version(self, owner: str | None) -> object:
        return self._main.version(owner), self._memory.version(owner)

    @property
    def read_only(self) -> bool:
        return self._main.read_only

    @property
    def notice(self) -> str | None:
        return self._main.notice

    @property
    def is_damaged(self) -> bool:
        return self._main.is_damaged

    # Writing

    def insert(self, row: Row, most: int) -> None:
        """Raises as the protocol says; a person may have `TEMPORARY_SESSIONS` temporary ones, whatever `most` says."""
        session_id = row["session_id"]
        if not row.get(TEMPORARY):
            if session_id in self._temporary:
                raise SessionExists(session_id)
            self._main.insert(row, most)
            self._leave_current(row.get("owner"))
            return
        if self._main.row(session_id):
            raise SessionExists(session_id)
        is_new = session_id not in self._temporary
        self._temporary.add(session_id)
        try:
            with self._inserting:
                self.require_temporary_room(row.get("owner"))
                self._memory.insert(row, 0)
        except BaseException:
            if is_new:
                self._temporary.discard(session_id)
            raise

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
        """Either all of them are temporary or none is."""
        if any(session_id in self._temporary for session_id in session_ids):
            return self._memory.update(
                session_ids, change, owner=owner, make_current=make_current, more=more, most=TEMPORARY_SESSIONS
            )
        rows = self._main.update(session_ids, change, owner=owner, make_current=make_current, more=more, most=most)
        if make_current:
            self._leave_current(owner)
        return rows

    def delete(self, session_ids: Collection[str], check: Callable[[str, Row | None], object]) -> None:
        """As `update`."""
        temporary = any(session_id in self._temporary for session_id in session_ids)
        (self._memory if temporary else self._main).delete(session_ids, check)

    def require_room(self, owner: str | None, more: int, most: int) -> None:
        self._main.require_room(owner, more, most)

    def require_temporary_room(self, owner: str | None) -> None:
        """See `HoldingTemporary`."""
        if len(self._memory.all_of(owner)) >= TEMPORARY_SESSIONS:
            raise LimitReached(TEMPORARY_SESSIONS, what="temporary chats")

    def touch(self, times: Mapping[str, str], what: str) -> None:
        for engine in (self._memory, self._main):
            own = {name: time for name, time in times.items() if self._of(name) is engine}
            if own:
                engine.touch(own, what)

    def claim(self, choose: Callable[[Lookup], Collection[str]], owner: str | None, most: int) -> None:
        self._main.claim(lambda main: choose(self._looked_up(main)), owner, most)

    def complete(self, rows: Collection[Row]) -> None:
        self._main.complete(rows)

    def drop_claims(self, session_ids: Collection[str]) -> None:
        self._main.drop_claims(session_ids)

    def claimed(self) -> list[str]:
        return self._main.claimed()

    def mend(self) -> None:
        self._main.mend()

    # Inside

    def _of(self, session_id: str) -> Sessions:
        return self._memory if session_id in self._temporary else self._main

    def _looked_up(self, main: Lookup) -> Lookup:
        memory = self._memory.lookup()

        def look_up(session_id: str) -> Row | None:
            if session_id not in self._temporary:
                return main(session_id)
            return memory(session_id) or {"session_id": session_id, "owner": ENDED}

        return look_up

    def _as_seen(self, sessions: list[WebChatSession]) -> list[WebChatSession]:
        """The record as not current while a temporary session is."""

        def seen(session: WebChatSession) -> WebChatSession:
            is_hidden = session.is_active and not session.temporary and self._memory.current(session.owner)
            return replace(session, is_active=False) if is_hidden else session

        return [seen(session) for session in sessions]

    def _leave_current(self, owner: str | None) -> None:
        current = self._memory.current(owner)
        if current:
            self._memory.update([current.session_id], lambda name, row: {**(row or {}), "is_active": False})
