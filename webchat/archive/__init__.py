"""Sessions exported and imported: whole, as JSON Lines; readable, as Markdown or HTML; and from other programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO

from webchat.archive import ours
from webchat.archive.bounds import Watch
from webchat.archive.brought import Brought, Report
from webchat.archive.importer import Importer
from webchat.archive.reading import conversations
from webchat.errors import LimitReached, StorageError
from webchat.session_store import WebChatSession, WebChatSessionStore
from webchat.writing import Writing

__all__ = ["Archive", "Report"]

AT_ONCE = 50
"""Sessions that are put into the registry together, at most;"""
BYTES_AT_ONCE = 4 * 1024 * 1024
"""and of their transcripts, about."""


class Archive:
    """Reads and writes sessions as files for elsewhere. Raises StorageError, OSError."""

    def __init__(self, store: WebChatSessionStore, writing: Writing) -> None:
        self._store, self._writing = store, writing
        self.importer = Importer(store, writing)

    def export(self, sessions: Iterable[WebChatSession]) -> Iterator[bytes]:
        """The sessions as JSON Lines, one session after the other."""
        for session in sessions:
            row = {**self._store.row(session.session_id), "last_active": session.last_active}
            yield ours.session_lines(row, self._writing.whole(session.session_id))

    def bring_in(self, file: IO[bytes], owner: str | None = None, watch: Watch | None = None) -> Report:
        """Import what such a file has: ours, or what ChatGPT, Claude or Open WebUI export, also as a zip.

        `watch` is told how far it is, bounds it and may end it.

        A session that is here already, also in the trash, is left as it is; one that is somebody else's is imported
        under another id, the same one each time. Raises LimitReached, StorageError; what came before is in then.
        """
        report, watch = Report(), watch or Watch()
        batch: list[Brought] = []
        for found in conversations(file, report, watch):
            if self.importer.is_here(found, owner):
                report.known += 1
                continue
            batch.append(found)
            if len(batch) == AT_ONCE or sum(len(one.transcript) for one in batch) > BYTES_AT_ONCE:
                self._add(batch, owner, report)
                watch.added, batch = len(report.imported), []
        self._add(batch, owner, report)
        return report

    def _add(self, batch: list[Brought], owner: str | None, report: Report) -> None:
        """Add a batch. An error says how much was imported before."""
        so_far = f"{len(report.imported)} sessions were imported before that. Import the file again to go on"
        try:
            if batch:
                self.importer.add(batch, owner, report)
        except LimitReached as error:
            raise (LimitReached(error.most, so_far) if report.imported else error) from error
        except StorageError as error:
            raise (StorageError(error.what, error.cause, so_far) if report.imported else error) from error
