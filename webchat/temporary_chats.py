"""Ends temporary chats, for a person or after some time, and keeps them on request. Knows neither Flask nor files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from itertools import islice

from webchat.chat.texts import TEMPORARY_TITLE, title_of
from webchat.chat.times import seconds_of
from webchat.errors import InvalidInput, SessionBusy, SessionNotFound, StorageError, storing
from webchat.limits import TEMPORARY_HOURS, TEMPORARY_SESSIONS
from webchat.replies.services import Services
from webchat.session_store import WebChatSession
from webchat.session_store.rules import owned
from webchat.storage.protocols.temporary import holding_temporary

NOT_HERE = (
    "Temporary chats are not available here: each lives in one server's memory, and this chat may run on several."
)
NOTHING_TO_KEEP = "There are no messages here yet. Start a new session instead."


class TemporaryChats:
    """Operations on temporary chats, which are never written to the storage."""

    hours = TEMPORARY_HOURS
    """A temporary chat ends so many hours after its last message."""

    def __init__(self, services: Services, disabled: Callable[[], Collection[str]] = tuple) -> None:
        """`disabled` returns the names of the people whose access is disabled; it may raise StorageError."""
        self._storage, self._holding = services.storage, holding_temporary(services.storage)
        self._store, self._supervisor, self._current = services.store, services.supervisor, services.current
        self._clock, self._most_sessions = services.clock, services.limits.sessions
        self._empty, self._disabled = services.empty, disabled

    @property
    def are_offered(self) -> bool:
        """Whether the storage allows temporary chats."""
        return self._holding is not None

    def make_room(self, owner: str | None) -> None:
        """Make room for one more: at the limit, the person's oldest empty one is ended.

        Raises InvalidInput if temporary chats are not available, LimitReached if none of them is empty.
        """
        if self._holding is None:
            raise InvalidInput(NOT_HERE)
        theirs = self._holding.temporary_of(owner)
        empty = (session for session in reversed(theirs) if not (session.begun or self._is_answering(session)))
        for session in islice(empty, max(0, len(theirs) + 1 - TEMPORARY_SESSIONS)):
            with suppress(SessionNotFound):
                self._end(session)
        self._holding.require_temporary_room(owner)

    def require_memory(self, more: int) -> None:
        """Raises StorageError if so many more bytes exceed the limit of all temporary chats together."""
        if self._holding:
            with storing("There is no room for this"):
                self._holding.require_memory(more)

    def end_among(self, session_ids: Iterable[str], owner: str | None) -> list[str]:
        """End the temporary ones among these sessions of a person, for good; returns the others."""
        sessions = [self._store.require(session_id, owner) for session_id in session_ids]
        for session in sessions:
            if session.temporary:
                self._end(session)
        return [session.session_id for session in sessions if not session.temporary]

    def end_left(self) -> None:
        """End temporary chats without recent messages, and remove what late writers have left in ended ones."""
        if self._holding is None:
            return
        latest = seconds_of(self._clock()) - self.hours * 3600
        for session in self.all():
            if seconds_of(session.last_active) < latest and not self._is_answering(session):
                with suppress(SessionNotFound):
                    self._end(session)
        self._remove(self._holding.ended())

    def end_disabled(self) -> None:
        """End the temporary chats of disabled people, whose answers then stop: no other process can do that."""
        with suppress(StorageError):  # if nobody can tell who is disabled, nobody is let in either
            self.end_all_of(self._disabled)

    def all(self) -> list[WebChatSession]:
        """The temporary chats of everybody."""
        return self._holding.temporary_sessions() if self._holding else []

    def end_all_of(self, owners: Callable[[], Collection[str]]) -> None:
        """End all temporary chats of these people, who are looked up only if there is a temporary chat."""
        sessions = self.all()
        names = owners() if sessions else ()
        for session in sessions:
            if session.owner in names:
                with suppress(SessionNotFound):
                    self._end(session)

    def keep(self, session_id: str, owner: str | None) -> WebChatSession:
        """Turn it into a normal session, with all its content. It becomes current.

        Raises SessionBusy while an answer is written, InvalidInput if nothing has been said; LimitReached,
        StorageError.
        """
        session = self._store.require(session_id, owner)
        if self._holding is None or not session.temporary:
            return session
        if not session.begun:
            raise InvalidInput(NOTHING_TO_KEEP)
        title = session.description
        self._empty.make_room(owner)
        with self._supervisor.turn(session_id) as turn, storing("This chat could not be kept"):
            if title == TEMPORARY_TITLE and turn.conversation.messages:
                title = title_of(turn.conversation.messages[0].heading)
            self._holding.keep(session_id, {"description": title}, self._most_sessions)
        kept = self._store.reactivate(session_id, owner)
        self._storage.bus.publish(session_id, urgent=True)
        return kept

    def _is_answering(self, session: WebChatSession) -> bool:
        return self._supervisor.is_answering(session.session_id)

    def _end(self, session: WebChatSession) -> None:
        """End this one. Raises SessionNotFound if it has ended meanwhile."""
        session_id = session.session_id
        self._supervisor.stop(session_id)
        self._current.let_go(session_id)
        self._store.sessions.delete([session_id], lambda name, row: owned(name, row, session.owner))
        self._remove([session_id])

    def _remove(self, session_ids: Collection[str]) -> None:
        """Remove the content of these. One whose answer has not stopped yet is left for later."""
        for session_id in session_ids:
            with suppress(SessionBusy, StorageError):
                self._storage.purge([session_id], lambda: None)
                self._supervisor.forget([session_id])
