"""A session's lease as a file lock beside its transcript. Knows no reply."""

from __future__ import annotations

from webchat.errors import SessionBusy, StorageError
from webchat.fileutil import LOCK_SUFFIX, Folder, Locked, Release

PATIENCE = 1.0
"""Seconds that a writer waits for its lock: a reader's probe holds it for a moment."""


class FileLeases:
    """See `webchat.storage.protocols.Leases`. The system releases a lock when its process ends, however it ends."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.patience = PATIENCE

    def acquire(self, session_id: str) -> Release:
        try:
            return self._folder.lock(session_id, self.patience)
        except Locked as error:
            raise SessionBusy from error
        except OSError as error:
            raise StorageError("The message could not be saved", error) from error

    def is_held(self, session_id: str) -> bool:
        return self._folder.is_locked(session_id)

    def forget(self, session_id: str) -> None:
        """Remove the lock file of a deleted session. Raises OSError."""
        self._folder.remove(session_id + LOCK_SUFFIX)
