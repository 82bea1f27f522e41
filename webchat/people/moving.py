"""Imports what a person's export has besides the sessions of their list. Knows no terminal."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from tempfile import TemporaryFile
from typing import IO, Any

from webchat.archive.beside import DAMAGED, UNPACKED
from webchat.archive.bounds import PIECE, Bounds
from webchat.archive.brought import Brought
from webchat.chat.message import Message
from webchat.chat.queued import QueuedMessage, queued_of
from webchat.chat.session import Row
from webchat.chat.trash_times import mark_of
from webchat.errors import WebChatError, storing
from webchat.fileutil import jsonlines
from webchat.limits import MIB
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore

SESSIONS, TRASH, WAITING = "sessions.jsonl", "trash.jsonl", "waiting.jsonl"
MEMORIES, DELETED = "memories.json", "deleted.json"
"""The files of such an export; DELETED has for each session in the trash since when it lies there."""
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

    def bring_rest(self, file: IO[bytes]) -> Moved | None:
        """Import the rest of an export whose sessions were just imported; None if it is none of a person.

        Raises StorageError, NoRoom; importing the export again brings in the rest then.
        """
        if not file.seekable():
            return None
        file.seek(0)
        if not zipfile.is_zipfile(file):
            return None
        try:
            export = zipfile.ZipFile(file)
        except DAMAGED:  # the import of its sessions has said so
            return None
        with export:
            if not {SESSIONS, TRASH, WAITING, MEMORIES} <= {*export.namelist()}:
                return None
            moved = Moved()
            self._bring_trash(export, moved)
            here = self._here()
            for item in map(jsonlines.parse_line, _read(export, WAITING, moved).splitlines()):
                self._take_back(item or {}, here, moved)
            try:
                moved.memories = self._bring_memories(_object(_read(export, MEMORIES, moved)))
            except WebChatError as error:
                moved.problems.append(f"no memory was imported: {error}")
            return moved

    def _bring_trash(self, export: zipfile.ZipFile, moved: Moved) -> None:
        times = _object(_read(export, DELETED, moved)) if DELETED in export.namelist() else {}
        now = self._manager.store.trash_mark()

        def mark(session_id: str) -> Row:
            known = times.get(session_id)
            return mark_of(known if isinstance(known, dict) else {}, now)

        with TemporaryFile() as trash:
            _unpack(export, TRASH, trash, moved)
            if not trash.tell():
                return
            report = self._manager.archive.bring_in(trash, self._owner, mark=mark)
        moved.trash += len(report.imported)
        moved.problems += report.problems

    def _take_back(self, record: Mapping[str, Any], here: Callable[[str], Row | None], moved: Moved) -> None:
        """A message that waited is not sent by itself: it is put into the message field of its session."""
        item, session_id = queued_of(record), record.get("session_id")
        row = here(session_id) if isinstance(session_id, str) else None
        if item is None or row is None:
            moved.problems.append("a message that waited could not be imported: it, or its session, is damaged.")
        elif not row.get("deleted_at") and self._put_back(item, row["session_id"]):
            moved.waiting += 1
            if item.pictures:
                name = row["session_id"]
                moved.problems.append(f"the pictures of a message that waits in session {name} are not in the export.")

    def _put_back(self, item: QueuedMessage, session_id: str) -> bool:
        """Add it to the queue as taken back; False if it is there, or was sent since."""
        storage = self._manager.storage
        with storing("A waiting message could not be saved"), storage.queue.changing(session_id) as items:
            is_known = any(known.key == item.key for known in items)
            if is_known or any(_is_sent(message, item) for message in storage.transcripts.messages(session_id)):
                return False
            items.append(replace(item, returned=True, pictures=(), client=None))
        return True

    def _bring_memories(self, found: Mapping[str, Any]) -> int:
        memories, trash = (_rows(found.get(key)) for key in ("memories", "trash"))
        return self._memory.bring_in(memories, trash, self._owner)

    def _here(self) -> Callable[[str], Row | None]:
        """Returns a function that gives the record that a session of the export has here; None if it is not here."""
        here = self._manager.archive.importer.here(self._owner)
        return lambda session_id: here(Brought({"session_id": session_id}, b""))


def _is_sent(message: Message, item: QueuedMessage) -> bool:
    """Whether this is that waiting message; sent from the message field, it has another key."""
    is_same = message.role == "user" and message.content == item.text and message.created_at >= item.created_at
    return message.key == item.key or is_same


def _rows(found: object) -> list[dict[str, Any]]:
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _read(export: zipfile.ZipFile, name: str, moved: Moved) -> bytes:
    data = io.BytesIO()
    _unpack(export, name, data, moved, LARGEST)
    return data.getvalue()


def _unpack(export: zipfile.ZipFile, name: str, to: IO[bytes], moved: Moved, most: int = Bounds.unpacked) -> None:
    """Copy a file of the export: of a damaged one as much as can be read, nothing of one with more bytes than `most`.

    Either is noted as a problem.
    """
    try:
        info = export.getinfo(name)
        if info.compress_type not in UNPACKED:
            raise NotImplementedError
        with export.open(info) as file:
            while to.tell() <= most and (piece := file.read(PIECE)):
                to.write(piece)
    except DAMAGED:
        moved.problems.append(f"{name} is damaged or locked with a password: not all of it was imported.")
    if to.tell() > most:
        moved.problems.append(f"{name} is too large and was not imported.")
        to.seek(0)
        to.truncate()


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
