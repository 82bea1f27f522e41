"""Adds sessions for transcripts that somebody has copied, restored or synced into the folder. Knows no person."""

from __future__ import annotations

import time
from datetime import datetime

from webchat.chat.session import Row, is_session_id
from webchat.chat.texts import DEFAULT_DESCRIPTION, title_of
from webchat.chat.tree import Branch
from webchat.storage.files.transcripts import FileTranscripts
from webchat.storage.table_sessions import TableSessions

SETTLED = 1.0
"""Seconds for which a file must have been left alone before its session is listed."""


class Adoption:
    """Adds records for transcripts without one. If the folder has not changed, a run costs one `stat`."""

    def __init__(self, sessions: TableSessions, transcripts: FileTranscripts) -> None:
        self._sessions, self._transcripts = sessions, transcripts
        self.settled = SETTLED
        self._adopted: object = None
        """The state of the folder when everything was listed."""

    def run(self) -> list[str]:
        """Add the records; returns their ids. Raises StorageError, OSError."""
        state = self._transcripts.state()
        if (state is not None and state == self._adopted) or self._sessions.read_only:
            return []
        now, waiting, rows = time.time(), False, []
        listed = self._sessions.lookup()
        for session_id, written in self._transcripts.last_written(but=listed).items():
            if not is_session_id(session_id):
                continue
            # A time in the future comes from another machine, whose clock is ahead.
            if 0 <= now - datetime.fromisoformat(written).timestamp() < self.settled:
                waiting = True  # it may be incomplete, or its record may come later
                continue
            try:
                rows.append(_record(session_id, written, self._transcripts.read(session_id)))
            except OSError:  # the others are listed anyway; this one is retried
                waiting = True
        adopted = self._sessions.add_missing(rows, lambda name: self._transcripts.version(name) is not None)
        self._adopted = None if waiting else state
        return adopted


def _record(session_id: str, written: str, branch: Branch) -> Row:
    """The record of an adopted transcript, also of a damaged one."""
    messages = branch.messages
    begun = bool(messages) or branch.damaged or branch.torn or branch.newer
    first = next((message.content for message in messages if message.role == "user"), "")
    created_at = next((message.created_at for message in messages if message.created_at), written)
    row: Row = {"session_id": session_id, "description": title_of(first) if first else DEFAULT_DESCRIPTION}
    return row | {"created_at": created_at, "last_active": written, "begun": begun}
