"""Which sessions there are, and which one is current. Knows no message and no backend."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from webchat import jsonlines
from webchat.activity import Activity, Moment, seconds_of
from webchat.conventions import SERVER_DIR, WEB_CHAT_ACTIVITY_FILENAME, WEB_CHAT_SESSIONS_FILENAME
from webchat.errors import InvalidInput, LimitReached, SessionExists, SessionNotFound, StorageError
from webchat.fileutil import DiskFolder, Folder, MemoryFolder, Stamp, locked, quarantine
from webchat.observer import NOBODY, Observer
from webchat.plain import one_line

DEFAULT_DESCRIPTION = "Web chat session"
NEWER = "The list of sessions was written by a later version of the chat. It can be read here, and not changed."
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
Row = dict[str, Any]
Rows = Mapping[str, Row]


def is_session_id(value: object) -> bool:
    """Whether this may name a session: it is safe as a file's name, in a URL and in HTML."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def short_id(session_id: str) -> str:
    """What people are shown of an id."""
    return session_id.removeprefix("mock-session-")[:8]


def utc_now() -> str:
    """The present, ISO 8601 in UTC with microseconds, which sorts as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True)
class WebChatSession:
    """One session. Times are ISO 8601; `extra` holds project_id and working_dir; `begun` says that it has a message.

    title_by: "person" or "model" where one of them gave it its title, else None. deleted_at: since when it lies in the
    trash, None where it does not.
    """

    session_id: str
    description: str
    created_at: str
    last_active: str
    is_active: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
    begun: bool = False
    owner: str | None = None
    title_by: str | None = None
    pinned: bool = False
    archived: bool = False
    deleted_at: str | None = None

    @property
    def short_id(self) -> str:
        return short_id(self.session_id)

    @property
    def project_id(self) -> str:
        return str(self.extra.get("project_id") or "")

    @property
    def working_dir(self) -> str:
        return str(self.extra.get("working_dir") or "~")


@dataclass(frozen=True)
class _Registry:
    rows: Rows = field(default_factory=dict)
    damaged: bool = False
    newer: bool = False

    @cached_property
    def current(self) -> Mapping[str | None, WebChatSession]:
        """Each owner's current session."""
        active = (_session(row) for row in self.rows.values() if row.get("is_active"))
        return {session.owner: session for session in active}

    @cached_property
    def keyed(self) -> Mapping[tuple[str | None, str], str]:
        """The sessions that were made with a key, by their owner and that."""
        rows = (row for row in self.rows.values() if isinstance(row.get("key"), str) and not row.get("deleted_at"))
        return {(row.get("owner"), row["key"]): row["session_id"] for row in rows}


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
        self._name = path.name if path else WEB_CHAT_SESSIONS_FILENAME
        self._clock = clock
        self.activity = Activity(self.folder, WEB_CHAT_ACTIVITY_FILENAME, clock)
        self._guard = threading.RLock()
        self._writers = threading.Lock()
        self._registry = _Registry()
        self._stamp: Stamp | None = None
        self._sorted: tuple[object, tuple[WebChatSession, ...]] = (None, ())
        self._listed: dict[str, _Listed] = {}
        self._lines: dict[str, tuple[Row, bytes]] = {}
        """Each row as it was written last, and its line. Most of thousands are the same in the next write."""
        self._kept_aside: str | None = None

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
            known = _Registry(rows).keyed.get((owner, key)) if key else None
            if known:
                raise SessionExists(known)
            self._check_room(rows, owner)
            return {**_without_current(rows, owner), session_id: row}

        self._update(insert)
        self.activity.note(session_id, "new", now)
        return _session(row)

    def get(self, session_id: str, owner: str | None = None) -> WebChatSession | None:
        """The session, or None where there is none of that id, it lies in the trash or is somebody else's."""
        row = self._read().rows.get(session_id)
        if row is None or row.get("owner") != owner or row.get("deleted_at"):
            return None
        return _as_of(_session(row), self.activity.latest())

    def made_with(self, key: str, owner: str | None = None) -> WebChatSession | None:
        """The session that was made with this key, or None."""
        session_id = self._read().keyed.get((owner, key))
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
            return {**rows, session_id: {**_owned(rows, session_id, owner), "is_active": False}}

        with suppress(SessionNotFound):
            self._update(change)

    def annotate(self, session_id: str, changes: Mapping[str, Any], owner: str | None = None) -> WebChatSession:
        """Put these into the session's `extra`; None removes one. Raises SessionNotFound."""

        def change(rows: Rows) -> Rows:
            row = _owned(rows, session_id, owner)
            extra = {**row.get("extra", {}), **changes}
            kept = {name: value for name, value in extra.items() if value is not None}
            return {**rows, session_id: {**row, "extra": kept}}

        return _session(self._update(change)[session_id])

    def mark(self, session_ids: Collection[str], changes: Row, owner: str | None = None) -> None:
        """Change these fields of several sessions' records in one write. Raises SessionNotFound; nothing changed then.

        What is archived or deleted is no longer current.
        """
        if changes.get("archived") or changes.get("deleted_at"):
            changes = {**changes, "is_active": False}

        def change(rows: Rows) -> Rows:
            return {**rows, **{key: {**_owned(rows, key, owner), **changes} for key in session_ids}}

        self._update(change)

    def name(self, session_id: str, title: str, owner: str | None = None, *, by: str) -> None:
        """Give the session a title, by a "person" or by a "model", which replaces nobody's. Raises SessionNotFound."""

        def change(rows: Rows) -> Rows:
            row = _owned(rows, session_id, owner)
            if by != "person" and row.get("title_by"):
                return rows
            return {**rows, session_id: {**row, "description": title, "title_by": by}}

        self._update(change)

    def trash(self, owner: str | None = None) -> list[WebChatSession]:
        """The deleted sessions, the last deleted first."""
        rows = (row for row in self._read().rows.values() if row.get("deleted_at") and row.get("owner") == owner)
        sessions = (_as_of(_session(row), self.activity.latest()) for row in rows)
        return sorted(sessions, key=lambda session: seconds_of(session.deleted_at or ""), reverse=True)

    def expired(self, age: float) -> list[str]:
        """The ids of all that have lain in the trash for longer than `age` seconds, whosever they are."""
        before = seconds_of(self._clock()) - age
        rows = self._read().rows
        return [key for key, row in rows.items() if row.get("deleted_at") and seconds_of(row["deleted_at"]) < before]

    def restore(self, session_ids: Collection[str], owner: str | None = None) -> None:
        """Bring sessions back from the trash, in one write.

        Raises SessionNotFound for one that is not there, LimitReached.
        """

        def change(rows: Rows) -> Rows:
            self._check_room(rows, owner, len(session_ids))
            return {**rows, **{key: {**_trashed(rows, key, owner), "deleted_at": None} for key in session_ids}}

        self._update(change)

    def remove(self, session_ids: Collection[str]) -> None:
        """Take these sessions' records out of the registry, whosever they are; those in the trash only."""
        gone = {*session_ids}

        def change(rows: Rows) -> Rows:
            return {key: row for key, row in rows.items() if key not in gone or not row.get("deleted_at")}

        self._update(change)

    @property
    def read_only(self) -> bool:
        """Whether a later version has written the list: then nothing is to be changed."""
        return self._read().newer

    def require_known(self) -> None:
        """Raises InvalidInput where the list is `read_only`."""
        if self.read_only:
            raise InvalidInput(NEWER)

    def has(self, session_id: str) -> bool:
        """Whether there is a session of that id, whosever it is, also in the trash."""
        return session_id in self._read().rows

    def row(self, session_id: str) -> Row:
        """A session's whole record, with what this version does not know. Raises SessionNotFound."""
        row = self._read().rows.get(session_id)
        if row is None:
            raise SessionNotFound(session_id)
        return dict(row)

    def put(self, rows: Collection[Row], owner: str | None = None) -> list[str]:
        """Add records from elsewhere that are not here yet, in one write; none of them is current. Gives their ids.

        A record that was made of a transcript alone (`adopted`) gives way to one that comes behind it.
        """
        added: list[str] = []

        def gives_way(known: Row | None, row: Row) -> bool:
            return known is None or (bool(known.get("adopted")) and not row.get("adopted"))

        def insert(known: Rows) -> Rows:
            mine = {} if owner is None else {"owner": owner}
            fresh = [row for row in rows if gives_way(known.get(row["session_id"]), row)]
            new = {row["session_id"]: {**row, **mine, "is_active": False} for row in fresh}
            added[:] = new
            return {**known, **new}

        if rows:
            self._update(insert)
        return added

    def require_room(self, owner: str | None = None, more: int = 1) -> None:
        """Raises LimitReached where this person may not have so many more sessions."""
        self._check_room(self._read().rows, owner, more)

    def _check_room(self, rows: Rows, owner: str | None, more: int = 1) -> None:
        # Counting looks at each one; where even all of them are not too many, nobody's are.
        if self._most and len(rows) + more > self._most and _count_of(rows, owner) + more > self._most:
            raise LimitReached(self._most)

    @property
    def notice(self) -> str | None:
        """What the person should know of the file's state, a sentence, or None."""
        if self._read().newer:
            return NEWER
        if self._read().damaged:
            return "Some of the list of sessions could not be read. It is kept aside before a change."
        if self._kept_aside:
            return f"Some of the list of sessions could not be read; a copy of it is in {self._kept_aside}."
        return None

    @property
    def is_damaged(self) -> bool:
        """Whether some of the file is not understood. Raises StorageError."""
        return self._read().damaged

    def mend(self) -> None:
        """Write the file anew from what was understood of it; a copy of a damaged one is kept. Raises StorageError."""
        self._update(lambda rows: rows)

    def touch(self, session_id: str, what: str) -> None:
        """Note that something happened in the session now; costs the same however many sessions there are."""
        self.activity.note(session_id, what)

    def list_all(self, owner: str | None = None) -> list[WebChatSession]:
        """All sessions of the owner but those in the trash, newest first by last_active."""
        return [session for session in self._all_sorted() if session.owner == owner and not session.deleted_at]

    def active_session(self, owner: str | None = None) -> WebChatSession | None:
        """The current session, or None."""
        current = self._read().current.get(owner)
        return _as_of(current, self.activity.latest()) if current else None

    def version(self) -> object:
        """Differs from an earlier one when anything in the list may have changed, here or in another process."""
        return self._stamp_now(), self.activity.stamp()

    def _all_sorted(self) -> tuple[WebChatSession, ...]:
        version = self.version()
        known, sessions = self._sorted
        if known != version:
            rows, latest = self._read().rows, self.activity.latest()
            self._listed = {key: self._as_listed(key, row, latest) for key, row in rows.items()}
            newest_first = sorted(self._listed.values(), key=_Listed.order, reverse=True)
            sessions = tuple(listed.session for listed in newest_first)
            self._sorted = (version, sessions)
        return sessions

    def _as_listed(self, session_id: str, row: Row, latest: Mapping[str, Moment]) -> _Listed:
        """What was made of the row before, where nothing has happened in it: a message changes one of thousands."""
        known, moment = self._listed.get(session_id), latest.get(session_id)
        if known and known.row is row and known.moment == moment:
            return known
        session = _as_of(_session(row), latest)
        return _Listed(row, moment, session, moment or _last_active(session))

    def _change(self, session_id: str, owner: str | None, changes: Row) -> WebChatSession:
        def change(rows: Rows) -> Rows:
            row = _owned(rows, session_id, owner)
            return {**_without_current(rows, owner), session_id: {**row, **changes, "is_active": True}}

        return _session(self._update(change)[session_id])

    def _update(self, change: Callable[[Rows], Rows]) -> Rows:
        try:
            # The file's lock orders the writers of all processes; those of this one queue before it, since whoever
            # waits there looks a hundred times a second. Who only reads waits for neither.
            with self._writers, locked(self.folder, self._name):
                registry = self._read()
                self.require_known()
                rows = change(registry.rows)
                if registry.damaged:
                    self._kept_aside = quarantine(self.folder, self._name)
                self.folder.replace(self._name, self._dump(rows))
                with self._guard:
                    self._registry, self._stamp = _Registry(rows), self.folder.stamp(self._name)
                return rows
        except StorageError:
            raise
        except OSError as error:
            raise StorageError("The list of sessions could not be saved", error) from error

    def _dump(self, rows: Rows) -> bytes:
        lines = {key: self._line(key, row) for key, row in rows.items()}
        self._lines = lines
        return b"[\n" + b",\n".join(line for _, line in lines.values()) + b"\n]\n" if lines else b"[]\n"

    def _line(self, session_id: str, row: Row) -> tuple[Row, bytes]:
        known = self._lines.get(session_id)
        return known if known and known[0] is row else (row, jsonlines.dump(row))

    def _stamp_now(self) -> Stamp | None:
        try:
            return self.folder.stamp(self._name)
        except OSError as error:
            raise StorageError("The list of sessions could not be read", error) from error

    def _read(self) -> _Registry:
        with self._guard:
            stamp = self._stamp_now()
            try:
                if stamp != self._stamp:
                    data = self.folder.read(self._name)
                    self._registry, self._stamp = _parse(data) if data is not None else _Registry(), stamp
            except OSError as error:
                raise StorageError("The list of sessions could not be read", error) from error
            return self._registry


@dataclass(frozen=True, slots=True)
class _Listed:
    """A session in the list's order, and what it was made from."""

    row: Row
    moment: Moment | None
    session: WebChatSession
    last: Moment

    def order(self) -> Moment:
        return self.last


def _folder_of(path: Path, observer: Observer) -> DiskFolder:
    """The registry's folder. A home's own folder for it must not be a link that leads out of the home."""
    folder = path.parent
    if folder.name == SERVER_DIR:
        return DiskFolder(folder.parent, observer).sub(SERVER_DIR)
    return DiskFolder(folder, observer)


def _as_of(session: WebChatSession, latest: Mapping[str, Moment]) -> WebChatSession:
    """The session with the time of what last happened in it."""
    moment = latest.get(session.session_id)
    return replace(session, last_active=moment.at) if moment else session


def _owned(rows: Rows, session_id: str, owner: str | None) -> Row:
    row = rows.get(session_id)
    if row is None or row.get("owner") != owner or row.get("deleted_at"):
        raise SessionNotFound(session_id)
    return row


def _trashed(rows: Rows, session_id: str, owner: str | None) -> Row:
    row = rows.get(session_id)
    if row is None or row.get("owner") != owner or not row.get("deleted_at"):
        raise SessionNotFound(session_id)
    return row


def _count_of(rows: Rows, owner: str | None) -> int:
    """How many sessions a person has that can be seen: of those without a message only the current one."""
    mine = (row for row in rows.values() if row.get("owner") == owner and not row.get("deleted_at"))
    return sum(1 for row in mine if row.get("is_active") or _session(row).begun)


def _without_current(rows: Rows, owner: str | None) -> Rows:
    return {
        key: {**row, "is_active": False} if row.get("is_active") and row.get("owner") == owner else row
        for key, row in rows.items()
    }


def _last_active(session: WebChatSession) -> Moment:
    return Moment(seconds_of(session.last_active), 0, session.last_active)


def _session(row: Row) -> WebChatSession:
    return WebChatSession(
        row["session_id"],
        one_line(row.get("description", "")) or DEFAULT_DESCRIPTION,
        row.get("created_at", ""),
        row.get("last_active") or row.get("created_at", ""),
        bool(row.get("is_active", False)),
        row.get("extra", {}),
        # Records from elsewhere lack the mark; with a title of their own they have been used.
        bool(row.get("begun", row.get("description", DEFAULT_DESCRIPTION) != DEFAULT_DESCRIPTION)),
        row.get("owner"),
        row.get("title_by"),
        bool(row.get("pinned", False)),
        bool(row.get("archived", False)),
        row.get("deleted_at"),
    )


_TYPES: dict[str, type | tuple[type, ...]] = {"description": str, "created_at": str, "last_active": str, "extra": dict}
_TYPES |= {"is_active": bool, "begun": bool, "pinned": bool, "archived": bool}
_TYPES |= {"owner": (str, type(None)), "deleted_at": (str, type(None)), "title_by": (str, type(None))}


def is_row(value: object) -> bool:
    """Whether this may stand in the registry."""
    if not isinstance(value, dict) or not is_session_id(value.get("session_id")):
        return False
    return all(isinstance(value[key], kind) for key, kind in _TYPES.items() if key in value)


def _parse(data: bytes) -> _Registry:
    try:
        items = jsonlines.load(data)
        damaged = not isinstance(items, list)
    except (ValueError, RecursionError):
        # Torn or edited: each record stands on a line of its own, so the whole ones can still be told.
        items = [jsonlines.parse_line(line.strip().rstrip(b",")) for line in data.splitlines()]
        damaged = True
    rows: dict[str, Row] = {}
    newer = isinstance(items, dict) and "format" in items
    if isinstance(items, dict) and isinstance(items.get("sessions"), list):
        items = items["sessions"]
    for item in items if isinstance(items, list) else []:
        if is_row(item) and item["session_id"] not in rows:
            rows[item["session_id"]] = item
        else:
            damaged = True
    return _Registry(_one_current(rows), damaged, newer)


def _one_current(rows: dict[str, Row]) -> Rows:
    """The rows with one current session for each owner: of several, as an edited file may have, the one last active."""
    active = sorted((row for row in rows.values() if row.get("is_active")), key=lambda row: _last_active(_session(row)))
    latest = {row.get("owner"): row["session_id"] for row in active}
    others = [row for row in active if latest[row.get("owner")] != row["session_id"]]
    return {**rows, **{row["session_id"]: {**row, "is_active": False} for row in others}}
