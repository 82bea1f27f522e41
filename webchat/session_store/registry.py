"""The list of sessions as a file: a JSON list, one record on a line. Knows no rule of who may change what."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from webchat.chat.plain import one_line
from webchat.chat.texts import DEFAULT_DESCRIPTION
from webchat.chat.times import seconds_of
from webchat.errors import InvalidInput, storing
from webchat.fileutil import Folder, Stamp, jsonlines, locked, quarantine
from webchat.session_store.session import WebChatSession, is_session_id
from webchat.storage.files.activity import Moment

NEWER = "The list of sessions was written by a later version of the chat. It can be read here, and not changed."
Row = dict[str, Any]
Rows = Mapping[str, Row]
_TYPES: dict[str, type | tuple[type, ...]] = {"description": str, "created_at": str, "last_active": str, "extra": dict}
_TYPES |= {"is_active": bool, "begun": bool, "pinned": bool, "archived": bool}
_TYPES |= {"kept_since": (str, type(None))}
_TYPES |= {"owner": (str, type(None)), "deleted_at": (str, type(None)), "title_by": (str, type(None))}


@dataclass(frozen=True)
class Registry:
    """What the file says; `damaged` where some of it was not understood, `newer` where a later version wrote it."""

    rows: Rows = field(default_factory=dict)
    damaged: bool = False
    newer: bool = False

    @cached_property
    def current(self) -> Mapping[str | None, WebChatSession]:
        """Each owner's current session."""
        active = (session_of(row) for row in self.rows.values() if row.get("is_active"))
        return {session.owner: session for session in active}

    @cached_property
    def keyed(self) -> Mapping[tuple[str | None, str], str]:
        """The sessions that were made with a key, by their owner and that."""
        rows = (row for row in self.rows.values() if isinstance(row.get("key"), str) and not row.get("deleted_at"))
        return {(row.get("owner"), row["key"]): row["session_id"] for row in rows}

    def require_known(self) -> None:
        """Raises InvalidInput where a later version wrote it: then nothing is to be changed."""
        if self.newer:
            raise InvalidInput(NEWER)


class RegistryFile:
    """The file, which any process may write at any time: its writers take a lock and reread first."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder, self._name = folder, name
        self._guard = threading.RLock()
        self._writers = threading.Lock()
        self._registry = Registry()
        self._stamp: Stamp | None = None
        self._lines: dict[str, tuple[Row, bytes]] = {}
        """Each row as it was written last, and its line. Most of thousands are the same in the next write."""
        self.kept_aside: str | None = None
        """Where a copy lies of what was not understood before it was written over."""

    def read(self) -> Registry:
        """What there is now. Raises StorageError."""
        with self._guard, storing("The list of sessions could not be read"):
            stamp = self.stamp()
            if stamp != self._stamp:
                data = self._folder.read(self._name)
                self._registry, self._stamp = _parse(data) if data is not None else Registry(), stamp
            return self._registry

    def stamp(self) -> Stamp | None:
        """Differs from an earlier one when the file has changed. Raises StorageError."""
        with storing("The list of sessions could not be read"):
            return self._folder.stamp(self._name)

    def update(self, change: Callable[[Rows], Rows]) -> Rows:
        """Write what `change` makes of the rows as they are now; gives that.

        Raises what it raises, StorageError, and InvalidInput where a later version has written the list; nothing has
        changed then.
        """
        # The file's lock orders the writers of all processes; those of this one queue before it, since whoever waits
        # there looks a hundred times a second. Who only reads waits for neither.
        with storing("The list of sessions could not be saved"), self._writers, locked(self._folder, self._name):
            registry = self.read()
            registry.require_known()
            rows = change(registry.rows)
            if registry.damaged:
                self.kept_aside = quarantine(self._folder, self._name)
            self._folder.replace(self._name, self._dump(rows))
            with self._guard:
                self._registry, self._stamp = Registry(rows), self._folder.stamp(self._name)
            return rows

    def _dump(self, rows: Rows) -> bytes:
        before, self._lines = self._lines, {}
        for key, row in rows.items():
            known = before.get(key)
            self._lines[key] = known if known and known[0] is row else (row, jsonlines.dump(row))
        return b"[\n" + b",\n".join([line for _, line in self._lines.values()]) + b"\n]\n" if rows else b"[]\n"


def session_of(row: Row) -> WebChatSession:
    """What a record says."""
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


def last_active(session: WebChatSession) -> Moment:
    """When the session was last active, as its record says."""
    return Moment(seconds_of(session.last_active), 0, session.last_active)


def is_row(value: object) -> bool:
    """Whether this may stand in the registry."""
    if not isinstance(value, dict) or not is_session_id(value.get("session_id")):
        return False
    return all(isinstance(value[key], kind) for key, kind in _TYPES.items() if key in value)


def _parse(data: bytes) -> Registry:
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
    return Registry(_one_current(rows), damaged, newer)


def _one_current(rows: dict[str, Row]) -> Rows:
    """The rows with one current session for each owner: of several, as an edited file may have, the one last active."""
    active = sorted(
        (row for row in rows.values() if row.get("is_active")), key=lambda row: last_active(session_of(row))
    )
    latest = {row.get("owner"): row["session_id"] for row in active}
    others = [row for row in active if latest[row.get("owner")] != row["session_id"]]
    return {**rows, **{row["session_id"]: {**row, "is_active": False} for row in others}}
