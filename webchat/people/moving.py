"""Imports whole files: sessions, and from a person's or a chat's export also the rest.

Knows no terminal and no request.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import IO, Any

from webchat.archive.beside import DAMAGED, UNPACKED, Together, opened
from webchat.archive.bounds import PIECE, Stopped, Watch
from webchat.archive.brought import Moved, Report
from webchat.archive.elements import fault
from webchat.archive.lenient import rows, table
from webchat.archive.ours import read_lines
from webchat.archive.packed import OF_A_PERSON
from webchat.archive.reading import seekable
from webchat.chat.session import Row
from webchat.chat.trash_times import mark_of
from webchat.errors import WebChatError
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore
from webchat.people.waiting import WaitingIntake, with_pictures

SESSIONS, TRASH, WAITING = "sessions.jsonl", "trash.jsonl", OF_A_PERSON
MEMORIES, DELETED, SETTINGS = "memories.json", "deleted.json", "settings.json"
"""The files of such an export; DELETED has the time of deletion of each session in the trash. Only that of a whole chat
has SETTINGS."""
TakeSettings = Callable[[Mapping[str, Any]], str]
"""Imports what is in SETTINGS; returns why that cannot be, or ""."""
NO_SETTINGS = "Its settings were not imported: “webchat import --settings missing” without --owner does that."


class Mover:
    """Imports for one person. What is already here is not imported again."""

    def __init__(
        self,
        manager: WebChatSessionManager,
        memory: MemoryStore | None,
        owner: str | None,
        may_work_in: Callable[[str], bool] | None = None,
        take_settings: TakeSettings | None = None,
    ) -> None:
        """`memory` is None if this chat keeps no memories; `may_work_in` is that of `Archive.bring_in`.

        `take_settings` is None for who may not import settings.
        """
        self._manager, self._memory, self._owner, self._may_work_in = manager, memory, owner, may_work_in
        self._take_settings = take_settings

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
            deleted = export.object(DELETED) if DELETED in archive.namelist() else {}
            into_trash = self._bring_trash(export, deleted, report.moved)
            if report.stopped:
                return
            intake = WaitingIntake(self._manager, self._owner, deleted, into_trash, report)
            self._bring_waiting(export, intake, report.moved)
            self._bring_memories(export.object(MEMORIES), report.moved, report)
            if SETTINGS in archive.namelist():
                self._bring_settings(export.object(SETTINGS), report)

    def _bring_trash(self, export: _Export, deleted: Mapping[str, Any], moved: Moved) -> Collection[str]:
        """Returns the sessions that were put into the trash."""
        now = self._manager.store.trash_mark()

        def mark(session_id: str) -> Row:
            return mark_of(table(deleted.get(session_id)), now)

        with TemporaryFile() as trash:
            export.unpack(TRASH, trash, export.watch.bounds.unpacked)
            if not trash.tell():
                return ()
            # A part of the same file, with its own progress; cancelling ends both.
            report = self._manager.archive.bring_in(trash, self._owner, replace(export.watch), self._may_work_in, mark)
        moved.trash += len(report.imported)
        export.report.add(replace(report, imported=[], grown=[], in_trash=[], known=0, empty=0))
        return {*report.imported}

    def _bring_waiting(self, export: _Export, intake: WaitingIntake, moved: Moved) -> None:
        with TemporaryFile() as waiting:  # with pictures it may be large
            for record, pictures in with_pictures(export.lines(WAITING, waiting)):
                moved.waiting += intake.take_back(record, pictures)

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

    def _bring_settings(self, found: Mapping[str, Any], report: Report) -> None:
        if not (found.get("settings") or found.get("left_out")):
            return
        if problem := self._take_settings(found) if self._take_settings else NO_SETTINGS:
            report.problem(problem)


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

    def lines(self, name: str, copy: IO[bytes]) -> Iterator[Mapping[str, Any]]:
        """The JSON objects on the lines of this file, an empty one for each damaged line. `copy` is filled with it.

        Raises Stopped, also between two lines.
        """
        self.unpack(name, copy, self.watch.bounds.unpacked)
        copy.seek(0)
        for line in read_lines(copy, self.watch.bounds):
            self.watch.check()
            yield self._parsed(name, line)

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
