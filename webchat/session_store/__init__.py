"""The registry of sessions, and which one is current. Knows no message, no backend and no storage engine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from webchat.chat.agent_ids import agent_ids_of, with_agent_id
from webchat.chat.chosen import with_chosen
from webchat.chat.session import TEMPORARY, Row, WebChatSession, is_row, is_session_id, session_of, short_id
from webchat.chat.texts import DEFAULT_DESCRIPTION, title_of
from webchat.chat.times import seconds_of, time_of, utc_now
from webchat.errors import InvalidInput, SessionNotFound, StorageError
from webchat.session_store.rules import owned, trashed
from webchat.storage import storage_at
from webchat.storage.protocols import Sessions

log = logging.getLogger(__name__)
__all__ = [
    "DEFAULT_DESCRIPTION",
    "Row",
    "WebChatSession",
    "WebChatSessionStore",
    "is_row",
    "is_session_id",
    "short_id",
    "utc_now",
]


class WebChatSessionStore:
    """The rules of the list of sessions, over a storage engine's records.

    A write that fails raises StorageError and changes nothing. `owner` narrows each call to one person's sessions; None
    is the one person of a chat without sign-in.
    """

    def __init__(
        self,
        sessions: Sessions | Path | str | None = None,
        *,
        clock: Callable[[], str] = utc_now,
        most: int = 0,
    ) -> None:
        """`sessions` are an engine's records, or the path of a registry file; None: in memory.

        `most` is how many sessions one person may have, without the trash; 0 is no limit.
        """
        is_place = sessions is None or isinstance(sessions, Path | str)
        self.sessions: Sessions = storage_at(sessions).sessions if is_place else sessions  # type: ignore[assignment, arg-type]
        self._clock, self._most = clock, most

    def add(
        self,
        session_id: str,
        description: str,
        extra: Mapping[str, Any] | None = None,
        owner: str | None = None,
        *,
        key: str | None = None,
        title_by: str | None = None,
        temporary: bool = False,
    ) -> WebChatSession:
        """Store a new session and make it the current one, in one write; a `temporary` one in memory alone.

        Raises SessionExists ("already exists"), also if there is one with this `key`; LimitReached, StorageError.
        """
        now = self._clock()
        row: Row = {"session_id": session_id, "description": description, "created_at": now, "last_active": now}
        row |= {"is_active": True, "begun": False, "extra": dict(extra or {})}
        more = {"owner": owner, "key": key, "title_by": title_by, TEMPORARY: temporary or None}
        row |= {name: value for name, value in more.items() if value is not None}
        self.sessions.insert(row, self._most)
        self.sessions.touch({session_id: now}, "new")
        return session_of(row)

    def get(self, session_id: str, owner: str | None = None) -> WebChatSession | None:
        """The session, or None if it does not exist, is in the trash or somebody else's."""
        session = self.sessions.get(session_id)
        return None if session is None or session.owner != owner or session.deleted_at else session

    def deleted(self, session_id: str, owner: str | None = None) -> WebChatSession | None:
        """The session in the person's trash, or None."""
        session = self.sessions.get(session_id)
        return session if session and session.owner == owner and session.deleted_at else None

    def made_with(self, key: str, owner: str | None = None) -> WebChatSession | None:
        """The session that was created with this key, or None."""
        session_id = self.sessions.with_key(owner, key)
        return self.get(session_id, owner) if session_id else None

    def require(self, session_id: str, owner: str | None = None) -> WebChatSession:
        """The session. Raises SessionNotFound."""
        session = self.get(session_id, owner)
        if session is None:
            raise SessionNotFound(session_id)
        return session

    def reactivate(self, session_id: str, owner: str | None = None) -> WebChatSession:
        """Make the session current, the others not, and bump its last_active, in one write. Raises SessionNotFound."""
        now = self._clock()
        session = self._make_current(session_id, owner, {"last_active": now})
        self.sessions.touch({session_id: now}, "resume")
        return session

    def begin(self, session_id: str, title: str, owner: str | None = None) -> WebChatSession:
        """Make the session current and mark it as begun; `title` replaces a default description. One write at most.

        Raises SessionNotFound.
        """
        session = self.require(session_id, owner)
        if session.begun and session.is_active and not session.archived:
            return session
        changes: Row = {"begun": True, "archived": False}
        if not session.begun and session.description == DEFAULT_DESCRIPTION:
            changes["description"] = title
        return self._make_current(session_id, owner, changes)

    def note_message(self, session: WebChatSession, text: str) -> WebChatSession:
        """Make a session that has a new message current and begun. The message is saved: a failure is only logged."""
        self.touch(session.session_id, "message")
        try:
            return self.begin(session.session_id, title_of(text), session.owner)
        except StorageError:
            log.warning("session %s could not be made current", session.session_id, exc_info=True)
            return session

    def _make_current(self, session_id: str, owner: str | None, changes: Row) -> WebChatSession:
        def change(name: str, row: Row | None) -> Row:
            return {**owned(name, row, owner), **changes, "is_active": True}

        return session_of(self.sessions.update([session_id], change, owner=owner, make_current=True)[0])

    def deactivate(self, session_id: str, owner: str | None = None) -> None:
        """Make the session no longer current; a no-op if it is missing."""
        with suppress(SessionNotFound):
            self._change([session_id], owner, {"is_active": False})

    def annotate(self, session_id: str, changes: Mapping[str, Any], owner: str | None = None) -> WebChatSession:
        """Set these values in the session's `extra`; None removes one. Raises SessionNotFound."""

        def annotated(extra: Mapping[str, Any]) -> dict[str, Any]:
            return {key: value for key, value in {**extra, **changes}.items() if value is not None}

        return self._change_extra(session_id, owner, annotated)

    def note_choice(self, session_id: str, select_id: str, value: str, owner: str | None = None) -> WebChatSession:
        """Note what was chosen for a control of the session's agent. Raises SessionNotFound."""
        return self._change_extra(session_id, owner, lambda extra: with_chosen(extra, select_id, value))

    def note_agent_id(self, session_id: str, agent_id: str, owner: str | None = None) -> None:
        """Note under which id the session's agent stores it; writes only what is new. Raises SessionNotFound."""
        if agent_id not in agent_ids_of(self.require(session_id, owner).extra):
            self._change_extra(session_id, owner, lambda extra: with_agent_id(extra, agent_id))

    def _change_extra(
        self, session_id: str, owner: str | None, change: Callable[[Mapping[str, Any]], dict[str, Any]]
    ) -> WebChatSession:
        def changed(name: str, row: Row | None) -> Row:
            known = owned(name, row, owner)
            return {**known, "extra": change(known.get("extra", {}))}

        return session_of(self.sessions.update([session_id], changed)[0])

    def mark(self, session_ids: Collection[str], changes: Row, owner: str | None = None) -> None:
        """Change these fields of several sessions' records in one write.

        Raises SessionNotFound; nothing has changed then. An archived or deleted session is no longer current.
        """
        if changes.get("archived") or changes.get("deleted_at"):
            changes = {**changes, "is_active": False}
        self._change(session_ids, owner, changes)

    def _change(self, session_ids: Collection[str], owner: str | None, changes: Row) -> None:
        self.sessions.update(session_ids, lambda name, row: {**owned(name, row, owner), **changes})

    def name(self, session_id: str, title: str, owner: str | None = None, *, by: str) -> None:
        """Set the title. A "person" replaces any title, a "model" only a default one, an "agent" any but a person's.

        An agent's title counts as a model's. Raises SessionNotFound.
        """

        def change(name: str, row: Row | None) -> Row:
            known = owned(name, row, owner)
            if known.get("title_by") in {"model": ("model", "person"), "agent": ("person",)}.get(by, ()):
                return known
            return {**known, "description": title, "title_by": "person" if by == "person" else "model"}

        self.sessions.update([session_id], change)

    def trash(self, owner: str | None = None) -> list[WebChatSession]:
        """The deleted sessions, the last deleted first."""
        return self.sessions.page(owner, "trash")

    def expired(self, age: float) -> list[str]:
        """The ids of all sessions, of every owner, that were deleted more than `age` seconds ago."""
        return self.sessions.deleted_before(seconds_of(self._clock()) - age)

    def trash_mark(self) -> Row:
        """The changes to the record of a session that is deleted now.

        If the clock is behind, `kept_since` is the latest known time, from which the days in the trash are counted.
        """
        now = self._clock()
        newest = max(self.sessions.newest(), self.sessions.newest_deleted())
        return {"deleted_at": now, "kept_since": time_of(newest) if newest > seconds_of(now) else None}

    def restore(self, session_ids: Collection[str], owner: str | None = None) -> None:
        """Restore sessions from the trash, in one write.

        Raises SessionNotFound for one that is not in the trash, LimitReached.
        """
        kept = {"deleted_at": None, "kept_since": None}
        self.sessions.update(
            session_ids,
            lambda name, row: {**trashed(name, row, owner), **kept},
            owner=owner,
            more=len(session_ids),
            most=self._most,
        )

    def remove(self, session_ids: Collection[str]) -> None:
        """Remove these sessions' records, of any owner.

        Raises SessionNotFound if one of them is not in the trash.
        """
        self.sessions.delete(session_ids, lambda name, row: trashed(name, row, (row or {}).get("owner")))

    def require_known(self) -> None:
        """Raises InvalidInput if a later version has written the list: then nothing may be changed."""
        if self.sessions.read_only:
            raise InvalidInput(self.notice or "")

    def row(self, session_id: str) -> Row:
        """A session's whole record, with keys that this version does not know. Raises SessionNotFound."""
        row = self.sessions.row(session_id)
        if row is None:
            raise SessionNotFound(session_id)
        return row

    def require_room(self, owner: str | None = None, more: int = 1) -> None:
        """Raises LimitReached if this person may not have so many more sessions."""
        self.sessions.require_room(owner, more, self._most)

    @property
    def notice(self) -> str | None:
        """What the person should know about the state of the records, as a sentence; or None."""
        return self.sessions.notice

    def touch(self, session_id: str, what: str) -> None:
        """Note that something happened in the session now. Costs the same however many sessions there are."""
        self.sessions.touch({session_id: self._clock()}, what)

    def list_all(self, owner: str | None = None) -> list[WebChatSession]:
        """All sessions of the owner but those in the trash, newest first by last_active."""
        return self.sessions.all_of(owner)

    def active_session(self, owner: str | None = None) -> WebChatSession | None:
        """The current session, or None."""
        return self.sessions.current(owner)
