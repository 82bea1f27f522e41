"""Sessions exported and imported: whole, as JSON Lines; readable, as Markdown or HTML; and from other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO

from webchat.archive import ours
from webchat.archive.beside import Together
from webchat.archive.bounds import Watch
from webchat.archive.brought import Report
from webchat.archive.export import LeftOut, NoteLeftOut, read_each
from webchat.archive.growth import Growth
from webchat.archive.importer import Importer
from webchat.archive.intake import Intake, Terms
from webchat.archive.pictures import picture_line
from webchat.chat.conversation import Conversation
from webchat.chat.picture import MEDIA_TYPES
from webchat.errors import UnsupportedExport, storing
from webchat.replies.services import Services
from webchat.session_store import Row, WebChatSession

__all__ = ["Archive", "Report"]

AT_ONCE = 100
"""The most sessions added to the registry in one write."""


class Archive:
    """Exports and imports sessions. Raises StorageError, OSError."""

    def __init__(self, services: Services, read: Callable[[str], Conversation]) -> None:
        """`read` returns a session's conversation, be it ours or another program's."""
        self._store, self._storage, self._read = services.store, services.storage, read
        self._longest_title = services.limits.title
        self.importer, self._growth = Importer(services), Growth(services)
        self.at_once = AT_ONCE
        self._left_out: dict[str | None, list[LeftOut]] = {}

    def export_as(
        self, form: str, sessions: Sequence[WebChatSession], note: NoteLeftOut, title: str
    ) -> Iterator[bytes]:
        """The sessions in one of the `EXPORT_FORMATS`. `title`, the chat's name, heads its answers."""
        if form == "jsonl":
            return self.export(sessions, note)
        from webchat.archive.readable import as_html, as_markdown

        found = read_each(sessions, lambda session: self._read(session.session_id).messages, note)
        heading = sessions[0].description if len(sessions) == 1 else title
        read_picture = self._storage.pictures.read
        text = as_markdown(found, title) if form == "md" else as_html(found, title, heading, read_picture)
        return (part.encode() for part in text)

    def export(self, sessions: Iterable[WebChatSession], note: NoteLeftOut) -> Iterator[bytes]:
        """The sessions as JSON Lines, one at a time. One that cannot be read is named there and passed to `note`."""
        for session, lines in read_each(sessions, self.lines, note):
            if isinstance(lines, LeftOut):
                yield ours.left_out_line(lines)
            else:
                yield lines
                yield from self._pictures(session.session_id)

    def _pictures(self, session_id: str) -> Iterator[bytes]:
        """The pictures of its messages as lines, one at a time, without unsent and queued ones. Raises StorageError."""
        stored = self._storage.pictures
        with storing("A picture could not be read"):
            keys = stored.sizes(session_id).keys()
            messages = self._storage.transcripts.messages(session_id) if keys else ()
            for key in sorted(keys & {picture.key for message in messages for picture in message.pictures}):
                data = stored.read(session_id, key)
                if data is not None:
                    yield picture_line(MEDIA_TYPES[key.partition(".")[2]], data)

    def begin_export(self, owner: str | None) -> NoteLeftOut:
        """Returns a function that records the sessions left out of an export of all of a person's sessions."""
        self._left_out.pop(owner, None)
        return lambda left_out: self._left_out.setdefault(owner, []).append(left_out)

    def left_out(self, owner: str | None) -> Sequence[LeftOut]:
        """The sessions left out of this person's last export of all sessions, if this process sent it."""
        return self._left_out.get(owner, ())

    def lines(self, session: WebChatSession) -> bytes:
        """One session's lines in an export. Raises SessionNotFound, StorageError, UnsupportedExport."""
        if session.program:
            raise UnsupportedExport
        row = {**self._store.row(session.session_id), "last_active": session.last_active}
        with storing("The conversation could not be read"):
            return ours.session_lines(row, self._storage.export(session.session_id))

    def bring_in(
        self,
        file: IO[bytes],
        owner: str | None = None,
        watch: Watch | None = None,
        may_work_in: Callable[[str], bool] | None = None,
        mark: Callable[[str], Row] | None = None,
        together: Together | None = None,
    ) -> Report:
        """Import a file: our own export, or one of another program (`webchat.archive.sources`), packed or not.

        `together` has this and the other files of the same import, in which pictures are found too.

        `watch` tracks the progress, sets the limits and can cancel. `may_work_in` says which folders sessions may keep;
        by default any if there is no owner, else none. `mark` gives the fields that put a session into the trash, by
        its id in the file; by default none is put there.

        To an existing session what is new is added; one in the trash is left as it is.
        What is somebody else's is imported under another id, the same one each time. Raises LimitReached, NoRoom,
        StorageError; the sessions before stay imported then.
        """
        from webchat.archive.reading import conversations  # knows many programs: too much for each start

        watch = watch or Watch()
        may_work_in = may_work_in or (lambda folder: owner is None)
        mark = mark or (lambda session_id: {})
        terms = Terms(owner, may_work_in, self._longest_title, self.at_once, mark)
        intake = Intake(self.importer, self._growth, terms, watch)
        for found in conversations(file, intake.report, watch, together or Together()):
            intake.take(found)
        intake.add()
        return intake.report
