"""Which sessions there are, and which one is current. Knows no message and no backend."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from webchat.chat.texts import DEFAULT_DESCRIPTION
from webchat.chat.times import seconds_of, time_of
from webchat.conventions import SERVER_DIR, WEB_CHAT_ACTIVITY_FILENAME, WEB_CHAT_SESSIONS_FILENAME
from webchat.errors import LimitReached, SessionExists, SessionNotFound
from webchat.fileutil import DiskFolder, Folder, MemoryFolder
from webchat.observer import NOBODY, Observer
from webchat.session_store.claims import Claims
from webchat.session_store.listing import Listing, as_of
from webchat.session_store.registry import NEWER, Registry, RegistryFile, Row, Rows, is_row, session_of
from webchat.session_store.rules import count_of, kept_since, owned, trashed, without_current
from webchat.session_store.session import WebChatSession, is_session_id, short_id, utc_now
from webchat.storage.files.activity import Activity

__all__ = [
    "DEFAULT_DESCRIPTION",
    "Row",
    "Rows",
    "WebChatSession",
    "WebChatSessionStore",
    "is_row",
    "is_session_id",
    "short_id",
    "utc_now",
]


class WebChatSessionStore:
    """The registry of sessions: a JSON list in a file, one record on a line, or in memory where there is no path.

    Every process that writes the file takes its lock and rereads first, so none loses what another wrote; a write that
    fails raises StorageError and changes nothing. Keys that this version does not know survive. `owner` narrows each
    call to one person's sessions; None is the one person of a chat without sign-in.
    """

    def __init__(
        self,
        persistence_path: Path | str | None = None,
        *,
        clock: Callable[[], str] = utc_now,
        observer: Observer = NOBODY,
        most: int = 0,
    ) -> None:
        """`most` is how many sessions one person may have, without the trash; 0 is any number."""
        self._most = most
        path = Path(persistence_path).expanduser() if persistence_path is not None else None
        self.folder: Folder = _folder_of(path, observer) if path else MemoryFolder()
        self._clock = clock
        self.activity = Activity(self.folder, WEB_CHAT_ACTIVITY_FILENAME, clock)
        self._file = RegistryFile(self.folder, path.name if path else WEB_CHAT_SESSIONS_FILENAME)
        self.claims = Claims(self._file, self._require_room)
        self._listing = Listing()

    def add(
        self,
        session_id: str,
        description: str,
        extra: Mapping[str, Any] | None = None,
        owner: str | None = None,
        *,
        key: str | None = None,
        title_by: str | None = None,
    ) -> WebChatSession:
        """Store a new session and make it the current one, in one write.

        Raises SessionExists ("already exists"), also where there is one with this `key`; LimitReached, StorageError.
        """
        now = self._clock()
        row: Row = {"session_id": session_id, "description": description, "created_at": now, "last_active": now}
        row |= {"is_active": True, "begun": False, "extra": dict(extra or {})}
        more = {"owner": owner, "key": key, "title_by": title_by}
        row |= {name: value for name, value in more.items() if value is not None}

        def insert(rows: Rows) -> Rows:
            if session_id in rows:
                raise SessionExists(session_id)
            known = Registry(rows).keyed.get((owner, key)) if key else None
            if known:
                raise SessionExists(known)
            self._require_room(rows, owner)
            return {**without_current(rows, owner), session_id: row}

        self._file.update(insert)
        self.activity.note(session_id, "new", now)
        return session_of(row)

    def get(self, session_id: str, owner: str | None = None) -> WebChatSession | None:
        """The session, or None where there is none of that id, it lies in the trash or is somebody else's."""
        row = self._file.read().rows.get(session_id)
        if row is None or row.get("owner") != owner or row.get("deleted_at"):
            return None
        return as_of(session_of(row), self.activity.latest())

    def made_with(self, key: str, owner: str | None = None) -> WebChatSession | None:
        """The session that was made with this key, or None."""
        session_id = self._file.read().keyed.get((owner, key))
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
        session = self._change(session_id, owner, {"last_active": now})
        self.activity.note(session_id, "resume", now)
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
        return self._change(session_id, owner, changes)

    def deactivate(self, session_id: str, owner: str | None = None) -> None:
        """Make the session no longer current; a no-op where it is missing."""

        def change(rows: Rows) -> Rows:
            return {**rows, session_id: {**owned(rows, session_id, owner), "is_active": False}}

        with suppress(SessionNotFound):
            self._file.update(change)

    def annotate(self, session_id: str, changes: Mapping[str, Any], owner: str | None = None) -> WebChatSession:
        """Put these into the session's `extra`; None removes one. Raises SessionNotFound."""

        def change(rows: Rows) -> Rows:
            row = owned(rows, session_id, owner)
            extra = {**row.get("extra", {}), **changes}
            kept = {name: value for name, value in extra.items() if value is not None}
            return {**rows, session_id: {**row, "extra": kept}}

        return session_of(self._file.update(change)[session_id])

    def mark(self, session_ids: Collection[str], changes: Row, owner: str | None = None) -> None:
        """Change these fields of several sessions' records in one write. Raises SessionNotFound; nothing changed then.

        What is archived or deleted is no longer current.
        """
        if changes.get("archived") or changes.get("deleted_at"):
            changes = {**changes, "is_active": False}

        def change(rows: Rows) -> Rows:
            return {**rows, **{key: {**owned(rows, key, owner), **changes} for key in session_ids}}

        self._file.update(change)

    def name(self, session_id: str, title: str, owner: str | None = None, *, by: str) -> None:
        """Give the session a title, by a "person" or by a "model", which replaces nobody's. Raises SessionNotFound."""

        def change(rows: Rows) -> Rows:
            row = owned(rows, session_id, owner)
            if by != "person" and row.get("title_by"):
                return rows
            return {**rows, session_id: {**row, "description": title, "title_by": by}}

        self._file.update(change)

    def trash(self, owner: str | None = None) -> list[WebChatSession]:
        """The deleted sessions, the last deleted first."""
        rows = (row for row in self._file.read().rows.values() if row.get("deleted_at") and row.get("owner") == owner)
        sessions = (as_of(session_of(row), self.activity.latest()) for row in rows)
        return sorted(sessions, key=lambda session: seconds_of(session.deleted_at or ""), reverse=True)

    def expired(self, age: float) -> list[str]:
        """The ids of all that have lain in the trash for longer than `age` seconds, whosever they are."""
        before = seconds_of(self._clock()) - age
        rows = self._file.read().rows
        return [key for key, row in rows.items() if row.get("deleted_at") and kept_since(row) < before]

    def trash_mark(self) -> Row:
        """What is noted in the record of a session that is deleted now.

        If the clock is behind, `kept_since` is the newest moment known: from then on the trash counts.
        """
        now = self._clock()
        trash = (kept_since(row) for row in self._file.read().rows.values() if row.get("deleted_at"))
        newest = max([self.activity.newest, *trash])
        return {"deleted_at": now, "kept_since": time_of(newest) if newest > seconds_of(now) else None}

    def restore(self, session_ids: Collection[str], owner: str | None = None) -> None:
        """Bring sessions back from the trash, in one write.

        Raises SessionNotFound for one that is not there, LimitReached.
        """

        def change(rows: Rows) -> Rows:
            self._require_room(rows, owner, len(session_ids))
            not_deleted = {"deleted_at": None, "kept_since": None}
            return {**rows, **{key: {**trashed(rows, key, owner), **not_deleted} for key in session_ids}}

        self._file.update(change)

    def remove(self, session_ids: Collection[str]) -> None:
        """Take these sessions' records out of the registry, whosever they are.

        Raises SessionNotFound if one of them is not in the trash.
        """
        gone = {*session_ids}

        def change(rows: Rows) -> Rows:
            for session_id in gone:
                trashed(rows, session_id, rows.get(session_id, {}).get("owner"))
            return {key: row for key, row in rows.items() if key not in gone}

        self._file.update(change)

    @property
    def read_only(self) -> bool:
        """Whether a later version has written the list: then nothing is to be changed."""
        return self._file.read().newer

    def require_known(self) -> None:
        """Raises InvalidInput where the list is `read_only`."""
        self._file.read().require_known()

    def has(self, session_id: str) -> bool:
        """Whether there is a session of that id, whosever it is, also in the trash."""
        return session_id in self._file.read().rows

    def row(self, session_id: str) -> Row:
        """A session's whole record, with what this version does not know. Raises SessionNotFound."""
        row = self._file.read().rows.get(session_id)
        if row is None:
            raise SessionNotFound(session_id)
        return dict(row)

    @property
    def rows(self) -> Rows:
        """All records, whosever they are, by session."""
        return self._file.read().rows

    def adopt(self, new: Collection[Row], is_there: Callable[[str], bool]) -> list[str]:
        """Add records made from transcripts, in one write; gives their ids.

        `is_there` says whether a transcript still exists: who removes a session removes its record last.
        """
        added: list[str] = []

        def change(rows: Rows) -> Rows:
            fresh = {row["session_id"]: row for row in new if row["session_id"] not in rows}
            fresh = {name: row for name, row in fresh.items() if is_there(name)}
            added[:] = fresh
            return {**rows, **fresh}

        if new:
            self._file.update(change)
        return added

    def require_room(self, owner: str | None = None, more: int = 1) -> None:
        """Raises LimitReached where this person may not have so many more sessions."""
        self._require_room(self._file.read().rows, owner, more)

    def _require_room(self, rows: Rows, owner: str | None, more: int = 1) -> None:
        # Counting looks at each one; where even all of them are not too many, nobody's are.
        if self._most and len(rows) + more > self._most and count_of(rows, owner) + more > self._most:
            raise LimitReached(self._most)

    @property
    def notice(self) -> str | None:
        """What the person should know of the file's state, a sentence, or None."""
        if self._file.read().newer:
            return NEWER
        if self._file.read().damaged:
            return "Some of the list of sessions could not be read. It is kept aside before a change."
        if self._file.kept_aside:
            return f"Some of the list of sessions could not be read; a copy of it is in {self._file.kept_aside}."
        return None

    @property
    def is_damaged(self) -> bool:
        """Whether some of the file is not understood. Raises StorageError."""
        return self._file.read().damaged

    def mend(self) -> None:
        """Write the file anew from what was understood of it; a copy of a damaged one is kept. Raises StorageError."""
        self._file.update(lambda rows: rows)

    def touch(self, session_id: str, what: str) -> None:
        """Note that something happened in the session now; costs the same however many sessions there are."""
        self.activity.note(session_id, what)

    def list_all(self, owner: str | None = None) -> list[WebChatSession]:
        """All sessions of the owner but those in the trash, newest first by last_active."""
        return [session for session in self._newest_first() if session.owner == owner and not session.deleted_at]

    def active_session(self, owner: str | None = None) -> WebChatSession | None:
        """The current session, or None."""
        current = self._file.read().current.get(owner)
        return as_of(current, self.activity.latest()) if current else None

    def version(self) -> object:
        """Differs from an earlier one when anything in the list may have changed, here or in another process."""
        return self._file.stamp(), self.activity.stamp()

    def _newest_first(self) -> Sequence[WebChatSession]:
        # In this order: what changes meanwhile has another version than the one that is noted.
        version, listing = self.version(), self._listing
        if listing.version != version:
            listing = self._listing = listing.renewed(version, self._file.read().rows, self.activity.latest())
        return listing.sessions

    def _change(self, session_id: str, owner: str | None, changes: Row) -> WebChatSession:
        def change(rows: Rows) -> Rows:
            row = owned(rows, session_id, owner)
            return {**without_current(rows, owner), session_id: {**row, **changes, "is_active": True}}

        return session_of(self._file.update(change)[session_id])


def _folder_of(path: Path, observer: Observer) -> DiskFolder:
    """The registry's folder. A home's own folder for it must not be a link that leads out of the home."""
    folder = path.parent
    if folder.name == SERVER_DIR:
        return DiskFolder(folder.parent, observer).sub(SERVER_DIR)
    return DiskFolder(folder, observer)
