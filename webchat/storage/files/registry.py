"""The list of sessions as a file: a JSON list, one record per line. Knows no rule of the list."""

from __future__ import annotations

import threading
from collections.abc import Callable

from webchat.chat.session import Row, is_row, session_of
from webchat.errors import storing
from webchat.fileutil import Folder, Stamp, jsonlines, locked, quarantine
from webchat.storage.table import Registry, Rows, session_moment


class RegistryFile:
    """The file, which any process may write at any time: writers lock it and reread it first."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder, self._name = folder, name
        self._guard = threading.RLock()
        self._writers = threading.Lock()
        self._registry = Registry()
        self._stamp: Stamp | None = None
        self._lines: dict[str, tuple[Row, bytes]] = {}
        """Each row as last written, and its line: in the next write most of thousands are the same."""
        self.kept_aside: str | None = None
        """The copy of content that could not be parsed, made before it was overwritten."""

    def read(self) -> Registry:
        """The current rows. Raises StorageError."""
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
        """Write the rows that `change` returns for the current ones, and return them.

        Raises the exceptions of `change`, StorageError, and InvalidInput if a later version has written the list;
        nothing has changed then.
        """
        # The file's lock serialises the writers of all processes; those of this process queue before it, since a waiter
        # there polls a hundred times a second. Readers wait for neither.
        with storing("The list of sessions could not be saved"), self._writers, locked(self._folder, self._name):
            registry = self.read()
            registry.require_known()
            rows = change(registry.rows)
            if rows is registry.rows and not registry.damaged:
                return rows
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


def _parse(data: bytes) -> Registry:
    try:
        items = jsonlines.load(data)
        damaged = not isinstance(items, list)
    except (ValueError, RecursionError):
        # Torn or edited: each record has its own line, so that intact ones can still be read.
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
    """The rows with one current session per owner: of several (in an edited file) the last active one."""
    active = sorted(
        (row for row in rows.values() if row.get("is_active")), key=lambda row: session_moment(session_of(row))
    )
    latest = {row.get("owner"): row["session_id"] for row in active}
    others = [row for row in active if latest[row.get("owner")] != row["session_id"]]
    return {**rows, **{row["session_id"]: {**row, "is_active": False} for row in others}}
