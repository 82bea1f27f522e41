"""Imports what a person's export has besides the sessions of their list. Knows no terminal."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any

from webchat.archive.brought import Brought
from webchat.chat.queued import queued_of
from webchat.errors import WebChatError
from webchat.fileutil import jsonlines
from webchat.limits import MIB
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore

SESSIONS, TRASH, WAITING = "sessions.jsonl", "trash.jsonl", "waiting.jsonl"
MEMORIES, DELETED = "memories.json", "deleted.json"
"""The files of such an export; DELETED has for each session in the trash since when it lies there."""
SINCE = ("deleted_at", "kept_since")
LARGEST = 64 * MIB
"""Bytes of one of them, but for those with sessions."""


@dataclass
class Moved:
    """How much was imported: sessions into the trash, memories, and waiting messages, which are taken back."""

    trash: int = 0
    memories: int = 0
    waiting: int = 0
    problems: list[str] = field(default_factory=list)


class Mover:
    """Imports for one person. What is here already is not imported again."""

    def __init__(self, manager: WebChatSessionManager, memory: MemoryStore, owner: str | None) -> None:
        self._manager, self._memory, self._owner = manager, memory, owner

    def bring_rest(self, file: IO[bytes], imported: Collection[str]) -> Moved | None:
        """Import the rest of an export whose sessions were just imported; None if it is none of a person.

        `imported` are those of its sessions that are new. Raises StorageError, LimitReached, NoRoom.
        """
        if not file.seekable():
            return None
        file.seek(0)
        if not zipfile.is_zipfile(file):
            return None
        with zipfile.ZipFile(file) as export:
            if not {SESSIONS, TRASH, WAITING, MEMORIES} <= {*export.namelist()}:
                return None
            moved = Moved()
            self._bring_trash(export, moved)
            for item in map(jsonlines.parse_line, _read(export, WAITING, moved).splitlines()):
                self._take_back(item or {}, imported, moved)
            try:
                moved.memories = self._bring_memories(_object(_read(export, MEMORIES, moved)))
            except WebChatError as error:
                moved.problems.append(f"no memory was imported: {error}")
            return moved

    def _bring_trash(self, export: zipfile.ZipFile, moved: Moved) -> None:
        if not export.getinfo(TRASH).file_size:
            return
        with export.open(TRASH) as trash:
            report = self._manager.archive.bring_in(trash, self._owner)
        times = _object(_read(export, DELETED, moved)) if DELETED in export.namelist() else {}
        name_of = self._names()
        known = {name_of(session_id): row for session_id, row in times.items() if isinstance(row, dict)}
        now = self._manager.store.trash_mark()
        for name in report.imported:
            mark = {key: known.get(name, now).get(key) for key in SINCE}
            self._manager.store.mark([name], mark if mark["deleted_at"] else now, self._owner)
        moved.trash += len(report.imported)
        moved.problems += report.problems

    def _take_back(self, record: Mapping[str, Any], imported: Collection[str], moved: Moved) -> None:
        """A message that waited is not sent by itself: it is put into the message field of its session."""
        item, session_id = queued_of(record), record.get("session_id")
        name = self._names()(session_id) if isinstance(session_id, str) else None
        if item is None or name is None:
            moved.problems.append("a message that waited could not be imported: it, or its session, is damaged.")
        elif name in imported:
            with self._manager.storage.queue.changing(name) as items:
                items.append(replace(item, returned=True, pictures=(), client=None))
            moved.waiting += 1
            if item.pictures:
                moved.problems.append(f"the pictures of a message that waits in session {name} are not in the export.")

    def _bring_memories(self, found: Mapping[str, Any]) -> int:
        memories, trash = (_rows(found.get(key)) for key in ("memories", "trash"))
        return self._memory.bring_in(memories, trash, self._owner)

    def _names(self) -> Callable[[str], str | None]:
        """Returns a function that gives the id that a session of the export has here; None if it is not here."""
        here = self._manager.archive.importer.here(self._owner)

        def name_of(session_id: str) -> str | None:
            row = here(Brought({"session_id": session_id}, b""))
            return str(row["session_id"]) if row else None

        return name_of


def _rows(found: object) -> list[dict[str, Any]]:
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _read(export: zipfile.ZipFile, name: str, moved: Moved) -> bytes:
    with export.open(name) as file:
        data = file.read(LARGEST + 1)
    if len(data) <= LARGEST:
        return data
    moved.problems.append(f"{name} is too large and was not imported.")
    return b""


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
