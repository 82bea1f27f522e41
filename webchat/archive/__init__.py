"""Sessions exported and imported: whole, as JSON Lines; readable, as Markdown or HTML; and from other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO

from webchat.archive import ours
from webchat.archive.bounds import Watch
from webchat.archive.brought import Brought, Report
from webchat.archive.export import LeftOut, NoteLeftOut, read_each
from webchat.archive.fitting import fitted
from webchat.archive.growth import Growth
from webchat.archive.importer import Importer
from webchat.archive.pictures import picture_line
from webchat.archive.reading import conversations
from webchat.chat.picture import MEDIA_TYPES
from webchat.chat.session import Row, session_of
from webchat.errors import InvalidInput, LimitReached, NoRoom, SessionBusy, StorageError, storing
from webchat.limits import Limits
from webchat.replies.allowance import Allowance
from webchat.replies.supervisor import ReplySupervisor
from webchat.session_store import WebChatSession, WebChatSessionStore
from webchat.storage.protocols import Storage

__all__ = ["Archive", "Report"]

AT_ONCE = 100
"""Sessions that are added to the registry together, at most;"""
BYTES_AT_ONCE = 8 * 1024 * 1024
"""and of their transcripts, about."""


class Archive:
    """Exports and imports sessions. Raises StorageError, OSError."""

    def __init__(
        self,
        store: WebChatSessionStore,
        storage: Storage,
        supervisor: ReplySupervisor,
        limits: Limits,
        allowance: Allowance,
    ) -> None:
        self._store, self._storage, self._longest_title = store, storage, limits.title
        self.importer = Importer(storage, supervisor, allowance, limits.sessions)
        self._growth = Growth(storage, supervisor, allowance)
        self.at_once = AT_ONCE
        self._left_out: dict[str | None, list[LeftOut]] = {}

    def export(self, sessions: Iterable[WebChatSession], note: NoteLeftOut) -> Iterator[bytes]:
        """The sessions as JSON Lines, one at a time. One that cannot be read is named there, and `note` is told."""
        for session, lines in read_each(sessions, self.lines, note):
            if isinstance(lines, LeftOut):
                yield ours.left_out_line(lines)
            else:
                yield lines
                yield from self._pictures(session.session_id)

    def _pictures(self, session_id: str) -> Iterator[bytes]:
        """The pictures of its messages as lines, one at a time: others were not sent, or wait. Raises StorageError."""
        stored = self._storage.pictures
        with storing("A picture could not be read"):
            keys = stored.sizes(session_id).keys()
            messages = self._storage.transcripts.messages(session_id) if keys else ()
            for key in sorted(keys & {picture.key for message in messages for picture in message.pictures}):
                data = stored.read(session_id, key)
                if data is not None:
                    yield picture_line(MEDIA_TYPES[key.partition(".")[2]], data)

    def begin_export(self, owner: str | None) -> NoteLeftOut:
        """Returns a function that notes the sessions which an export of all a person's sessions leaves out."""
        self._left_out.pop(owner, None)
        return lambda left_out: self._left_out.setdefault(owner, []).append(left_out)

    def left_out(self, owner: str | None) -> Sequence[LeftOut]:
        """The sessions that this person's last export of all has left out, if this process sent it."""
        return self._left_out.get(owner, ())

    def lines(self, session: WebChatSession) -> bytes:
        """One session's lines in an export. Raises SessionNotFound, StorageError."""
        row = {**self._store.row(session.session_id), "last_active": session.last_active}
        with storing("The conversation could not be read"):
            return ours.session_lines(row, self._storage.export(session.session_id))

    def bring_in(
        self,
        file: IO[bytes],
        owner: str | None = None,
        watch: Watch | None = None,
        may_work_in: Callable[[str], bool] | None = None,
    ) -> Report:
        """Import a file: our own export, or one of another program (`webchat.archive.sources`), packed or not.

        `watch` tracks the progress, sets the limits and can cancel. `may_work_in` says which folders sessions may keep;
        by default any if there is no owner, else none.

        To an existing session that came from another program what is new is added; all others, and those in the trash,
        are left as they are. What is somebody else's is imported under another id, the same one each time. Raises
        LimitReached, NoRoom, StorageError; the sessions before stay imported then.
        """
        report, watch = Report(), watch or Watch()
        batch: list[Brought] = []
        size, before = 0, watch.added
        here = self.importer.here(owner)
        for found in conversations(file, report, watch):
            if row := here(found):
                self._grow(row, found, owner, report)
                continue
            if not found.transcript and not session_of(found.row).begun:
                report.problem(f"session {found.session_id}: there is no message in it.")
                continue
            row = fitted(found.row, may_work_in or (lambda folder: owner is None), self._longest_title, report.problem)
            batch.append(Brought(row, found.transcript, pictures=found.pictures))
            size += found.size
            if len(batch) == self.at_once or size > BYTES_AT_ONCE:
                self._add(batch, owner, report)
                watch.added, batch, size = before + len(report.imported), [], 0
                here = self.importer.here(owner)
        self._add(batch, owner, report)
        return report

    def _grow(self, row: Row, found: Brought, owner: str | None, report: Report) -> None:
        """Add what is new to a session that is here."""
        name = str(row["session_id"])
        try:
            has_grown = found.may_grow and not row.get("deleted_at") and self._growth.add(name, found, owner)
        except (InvalidInput, SessionBusy, NoRoom, LimitReached, StorageError) as error:
            report.unread("", f"“{row.get('description', name)}”", f"nothing was added to it. {str(error).rstrip('.')}")
            return
        report.grown += [name] if has_grown else []
        report.known += not has_grown

    def _add(self, batch: list[Brought], owner: str | None, report: Report) -> None:
        """Add a batch. An error says how much was imported before."""
        so_far = f"{len(report.imported)} sessions were imported before that. Import the file again to go on"
        try:
            if batch:
                self.importer.add(batch, owner, report)
        except LimitReached as error:
            raise (LimitReached(error.most, so_far) if report.imported else error) from error
        except NoRoom as error:
            raise (NoRoom(error.most, so_far) if report.imported else error) from error
        except StorageError as error:
            raise (StorageError(error.what, error.cause, so_far) if report.imported else error) from error
