"""Imports whole files: sessions, and from a person's export also the trash, memories and unsent messages.

Knows no terminal and no request.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import IO, Any

from webchat.archive.beside import DAMAGED, UNPACKED, Together, opened
from webchat.archive.bounds import PIECE, Stopped, Watch
from webchat.archive.brought import Brought, Moved, Report
from webchat.archive.elements import fault
from webchat.archive.lenient import rows, table
from webchat.archive.packed import OF_A_PERSON
from webchat.archive.reading import seekable
from webchat.chat.message import Message
from webchat.chat.queued import QueuedMessage, queued_of
from webchat.chat.session import Row
from webchat.chat.texts import MOST_FILES, checked_file, checked_message
from webchat.chat.trash_times import mark_of
from webchat.errors import InvalidInput, TooLarge, WebChatError, storing
from webchat.limits import MOST_QUEUED
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore

SESSIONS, TRASH, WAITING = "sessions.jsonl", "trash.jsonl", OF_A_PERSON
MEMORIES, DELETED = "memories.json", "deleted.json"
"""The files of such an export; DELETED has the time of deletion of each session in the trash."""


class Mover:
    """Imports for one person. What is already here is not imported again."""

    def __init__(
        self,
        manager: WebChatSessionManager,
        memory: MemoryStore | None,
        owner: str | None,
        may_work_in: Callable[[str], bool] | None = None,
    ) -> None:
        """`memory` is None if this chat keeps no memories; `may_work_in` is that of `Archive.bring_in`."""
        self._manager, self._memory, self._owner, self._may_work_in = manager, memory, owner, may_work_in

    def bring_in(self, file: IO[bytes], watch: Watch, together: Together | None = None) -> Report:
        """Import a file as `Archive.bring_in` does, and a person's export completely.

        Raises StorageError, NoRoom, LimitReached; importing the file again then adds the rest.
        """
        archive, report = self._manager.archive, Report()
        with ExitStack() as stack:
            try:
                file = stack.enter_context(seekable(file, watch))
                report = archive.bring_in(file, self._owner, watch, self._may_work_in, together=together)
                if not report.stopped:
                    self._bring_rest(file, watch, report)
            except Stopped as reason:
                report.stop(str(reason))
        return report

    def _bring_rest(self, file: IO[bytes], watch: Watch, report: Report) -> None:
        """Import the rest of an export whose sessions were just imported, if it is a person's."""
        file.seek(0)
        if not zipfile.is_zipfile(file):
            return
        try:
            archive = opened(file, watch.bounds)
        except DAMAGED:  # reported by the import of its sessions
            return
        with archive:
            if not {SESSIONS, TRASH, WAITING, MEMORIES} <= {*archive.namelist()}:
                return
            export, report.moved = _Export(archive, watch, report), Moved()
            self._bring_trash(export, report.moved)
            if report.stopped:
                return
            here = self._here()
            for record in export.lines(WAITING):
                self._take_back(record, here, report.moved, report)
            self._bring_memories(export.object(MEMORIES), report.moved, report)

    def _bring_trash(self, export: _Export, moved: Moved) -> None:
        times = export.object(DELETED) if DELETED in export.archive.namelist() else {}
        now = self._manager.store.trash_mark()

        def mark(session_id: str) -> Row:
            return mark_of(table(times.get(session_id)), now)

        with TemporaryFile() as trash:
            export.unpack(TRASH, trash, export.watch.bounds.unpacked)
            if not trash.tell():
                return
            # A part of the same file, with its own progress; cancelling ends both.
            report = self._manager.archive.bring_in(trash, self._owner, replace(export.watch), self._may_work_in, mark)
        moved.trash += len(report.imported)
        export.report.add(replace(report, imported=[], grown=[], in_trash=[], known=0, empty=0))

    def _take_back(
        self, record: Mapping[str, Any], here: Callable[[str], Row | None], moved: Moved, report: Report
    ) -> None:
        """A queued message is not sent automatically: it is put into the message field of its session."""
        item, session_id = queued_of(record), record.get("session_id")
        row = here(session_id) if isinstance(session_id, str) else None
        if item is None or row is None:
            report.problem("a queued message could not be imported: it, or its session, is damaged.")
        elif not row.get("deleted_at") and self._put_back(item, row["session_id"], report):
            moved.waiting += 1
            if item.pictures:
                name = row["session_id"]
                report.problem(f"the pictures of a queued message in session {name} are not in the export.")

    def _put_back(self, item: QueuedMessage, session_id: str, report: Report) -> bool:
        """Add it to the queue as taken back; False if it is there already, has been sent, or cannot be taken."""
        storage = self._manager.storage
        with storing("A queued message could not be saved"), storage.queue.changing(session_id) as items:
            is_known = any(known.key == item.key for known in items)
            if is_known or any(_is_sent(message, item) for message in storage.transcripts.messages(session_id)):
                return False
            if len(items) >= MOST_QUEUED:
                report.problem(f"session {session_id} has more than {MOST_QUEUED} queued messages.")
                return False
            try:
                item = _checked(item, self._manager.limits.message)
            except (InvalidInput, TooLarge) as error:
                report.problem(f"a queued message in session {session_id} was left out. {error}")
                return False
            self._manager.allowance.require_room(self._owner, item.text_size)
            items.append(replace(item, returned=True, pictures=(), client=None))
        storage.bus.publish(session_id, urgent=True)
        return True

    def _bring_memories(self, found: Mapping[str, Any], moved: Moved, report: Report) -> None:
        memories, trash = (rows(found.get(key)) for key in ("memories", "trash"))
        if self._memory is None:
            if count := len(memories) + len(trash):
                report.problem(f"no memories were imported: this chat keeps none, and the export has {count}.")
            return
        try:
            moved.memories = self._memory.bring_in(memories, trash, self._owner)
        except WebChatError as error:
            report.problem(f"no memory was imported: {error}")

    def _here(self) -> Callable[[str], Row | None]:
        """Returns a function that finds the record here of a session in the export, or None."""
        here = self._manager.archive.importer.here(self._owner)
        return lambda session_id: here(Brought({"session_id": session_id}, b""))


def _is_sent(message: Message, item: QueuedMessage) -> bool:
    """Whether this is that queued message; it has another key if it was sent from the message field."""
    is_same = message.role == "user" and message.content == item.text and message.created_at >= item.created_at
    return message.key == item.key or is_same


def _checked(item: QueuedMessage, longest: int) -> QueuedMessage:
    """The message as it can be sent; it may be blank. Raises InvalidInput, TooLarge above `longest` characters (0: no
    limit).
    """
    if len(item.files) > MOST_FILES:
        raise InvalidInput(f"A message can have {MOST_FILES} files at most.")
    text = checked_message(item.text, longest, has_files=True)
    files = tuple(checked_file(file.name, file.content) for file in item.files)
    return replace(item, text=text, first=None, files=files)  # `first` is of use only to the page that sent it


@dataclass(frozen=True)
class _Export:
    """A person's export; each of its files may be damaged."""

    archive: zipfile.ZipFile
    watch: Watch
    report: Report

    def object(self, name: str) -> Mapping[str, Any]:
        """The JSON object in this file, empty if it is damaged."""
        data = io.BytesIO()
        self.unpack(name, data, self.watch.bounds.conversation)
        return self._parsed(name, data.getvalue() or b"{}")

    def lines(self, name: str) -> Iterator[Mapping[str, Any]]:
        """The JSON objects on the lines of this file, an empty one for each damaged line."""
        data = io.BytesIO()
        self.unpack(name, data, self.watch.bounds.conversation)
        data.seek(0)
        return (self._parsed(name, line) for line in data)

    def _parsed(self, name: str, data: bytes) -> Mapping[str, Any]:
        if why := fault(data, self.watch.bounds):
            self.report.problem(f"{name} was not imported: {why}.")
            return {}
        try:
            return table(json.loads(data))
        except (ValueError, RecursionError):
            return {}

    def unpack(self, name: str, to: IO[bytes], most: int) -> None:
        """Copy a file: of a damaged one as much as can be read, and nothing if it has more than `most` bytes.

        Both are reported as problems. Raises Stopped.
        """
        try:
            info = self.archive.getinfo(name)
            if info.compress_type not in UNPACKED:
                raise NotImplementedError
            with self.archive.open(info) as file:
                while to.tell() <= most and (piece := file.read(PIECE)):
                    to.write(piece)
                    self.watch.unpack(len(piece))
        except DAMAGED:
            self.report.problem(f"{name} is damaged or locked with a password: not all of it was imported.")
        if to.tell() > most:
            self.report.problem(f"{name} is too large and was not imported.")
            to.seek(0)
            to.truncate()
