"""Transcripts and replies in flight over one folder, as one process sees them."""

from __future__ import annotations

from webchat.fileutil import Folder
from webchat.storage.files.leases import FileLeases
from webchat.storage.files.reply_logs import FileReplyLogs
from webchat.storage.files.transcripts import FileTranscripts


class Stored:
    """What an engine of plain files has of conversations."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.transcripts, self.leases = FileTranscripts(folder), FileLeases(folder)
        self.replies = FileReplyLogs(folder, self.transcripts, self.leases)
