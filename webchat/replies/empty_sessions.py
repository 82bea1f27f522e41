"""Removes sessions in which nothing was ever said, where a person may have no more. Knows no request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice

from webchat.chat.session import Row, WebChatSession, session_of
from webchat.chat.times import seconds_of
from webchat.errors import LimitReached, SessionBusy, SessionNotFound
from webchat.replies.current_backend import CurrentBackend
from webchat.session_store import WebChatSessionStore
from webchat.session_store.rules import owned
from webchat.storage.protocols import Storage

IDLE = 60.0
"""Seconds after which nobody is about to send the first message of a session that is not current."""


class EmptySessions:
    """Sessions in which nothing was said are not in the list, so at the limit nobody could delete them to make room."""

    def __init__(
        self,
        storage: Storage,
        store: WebChatSessionStore,
        current: CurrentBackend,
        clock: Callable[[], str],
        most: int,
    ) -> None:
        """`clock` returns the time, ISO 8601; `most` is how many sessions a person may have, 0 is no limit."""
        self._storage, self._store, self._current = storage, store, current
        self._clock, self._most = clock, most

    def make_room(self, owner: str | None, more: int = 1) -> bool:
        """Remove the person's oldest empty sessions for good, as many as so many more need at the limit.

        Returns whether there was room already; otherwise the caller then checks the limit. Raises StorageError.
        """
        try:
            self._store.require_room(owner, more)
            return True
        except LimitReached:
            sessions = [session for session in self._store.list_all(owner) if not session.temporary]
            for session in islice(self._replaceable(sessions), max(0, len(sessions) + more - self._most)):
                with suppress(SessionBusy, SessionNotFound):
                    self._remove(session)
            return False

    def _replaceable(self, sessions: list[WebChatSession]) -> Iterator[WebChatSession]:
        """Those of these sessions that are empty, and were for a while, the oldest first."""
        latest = seconds_of(self._clock()) - IDLE
        for session in reversed(sessions):
            is_idle = not (session.begun or session.is_active) and seconds_of(session.last_active) < latest
            if is_idle and not (self._storage.has(session.session_id) or self._storage.queue.items(session.session_id)):
                yield session

    def _remove(self, session: WebChatSession) -> None:
        """Raises SessionBusy, SessionNotFound if something has happened in it meanwhile."""
        session_id = session.session_id

        def check(name: str, row: Row | None) -> None:
            now = session_of(owned(name, row, session.owner))
            if now.begun or now.is_active:
                raise SessionBusy

        self._storage.purge([session_id], lambda: self._store.sessions.delete([session_id], check))
        self._current.let_go(session_id)
        self._storage.bus.publish(session_id, urgent=True)
