"""Sessions exported and imported: whole, as JSON Lines; readable, as Markdown or HTML; and from other programs."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import IO

from webchat.archive import ours
from webchat.archive.brought import Brought, Report
from webchat.archive.reading import conversations
from webchat.session_store import WebChatSession, WebChatSessionStore
from webchat.writing import Writing

__all__ = ["Archive", "Report"]

AT_ONCE = 20
"""Sessions that are put into the registry with one write, at most;"""
BYTES_AT_ONCE = 4 * 1024 * 1024
"""and of their transcripts, about."""
_COPIES = uuid.UUID("0a6c0d53-52a5-4c0f-8d0e-0a9a3a2f6c41")
"""The namespace of the ids that sessions get which somebody else has too."""


class Archive:
    """Reads and writes sessions as files for elsewhere. Raises StorageError, OSError."""

    def __init__(self, store: WebChatSessionStore, writing: Writing) -> None:
        self._store, self._writing = store, writing

    def export(self, sessions: Iterable[WebChatSession]) -> Iterator[bytes]:
        """The sessions as JSON Lines, one session after the other."""
        for session in sessions:
            row = {**self._store.row(session.session_id), "last_active": session.last_active}
            yield ours.session_lines(row, self._writing.whole(session.session_id))

    def bring_in(self, file: IO[bytes], owner: str | None = None) -> Report:
        """Take in what such a file has: ours, or what ChatGPT, Claude or Open WebUI export, also as a zip.

        A session that is here already, also in the trash, is left as it is; one that is somebody else's is brought in
        under another id, the same one each time. Raises LimitReached, StorageError; what came before is in then.
        """
        report = Report()
        batch: dict[str, Brought] = {}
        for found in conversations(file, report):
            brought = self._made_for(owner, found)
            if self._store.has(brought.session_id) or brought.session_id in batch:
                report.known += 1
                continue
            batch[brought.session_id] = brought
            if len(batch) == AT_ONCE or sum(len(one.transcript) for one in batch.values()) > BYTES_AT_ONCE:
                report.imported += self._put(batch.values(), owner)
                batch = {}
        report.imported += self._put(batch.values(), owner)
        return report

    def _put(self, batch: Collection[Brought], owner: str | None) -> list[str]:
        """Keep these sessions, all of them or none."""
        if batch:
            self._writing.require_disk()
            self._store.require_room(owner, len(batch))
        for brought in batch:
            # The words first: a record without them would be an empty session.
            if brought.row.get("last_active"):  # before the file, whose own time is that of today
                self._store.activity.note(brought.session_id, "import", brought.row["last_active"])
            self._writing.transcripts.put(brought.session_id, brought.transcript)
        return self._store.put([brought.row for brought in batch], owner)

    def _made_for(self, owner: str | None, brought: Brought) -> Brought:
        """The session under its own id or, where that is somebody else's, under one that nobody has."""
        name = brought.session_id
        while self._store.has(name) and self._store.row(name).get("owner") != owner:
            name = str(uuid.uuid5(_COPIES, f"{owner}:{name}"))
        return replace(brought, row={**brought.row, "session_id": name})
