"""Removes the files of several sessions, all or none of them, also if the process crashes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress

from webchat.errors import storing
from webchat.fileutil import Folder, Locked, locked
from webchat.storage.files import queue, reply_logs, transcripts
from webchat.storage.files.leases import FileLeases
from webchat.storage.files.pictures import FilePictures
from webchat.storage.files.queue import FileQueue
from webchat.storage.files.reply_logs import FileReplyLogs

log = logging.getLogger(__name__)
ASIDE = ".purged"
"""Ends the name of a file that has been set aside."""
LOCK = ".purge"


class Purge:
    """Sets files aside, has the records removed, and then removes the files.

    The write that removes the records decides: files that were set aside are restored if their session is still listed,
    and removed otherwise. One process at a time does this, under a lock.
    """

    def __init__(
        self,
        folder: Folder,
        replies: FileReplyLogs,
        queues: FileQueue,
        leases: FileLeases,
        pictures: FilePictures,
        is_listed: Callable[[str], bool],
    ) -> None:
        """`folder` is that of the transcripts; `is_listed` says whether a session has a record."""
        self._folder, self._replies, self._queues = folder, replies, queues
        self._leases, self._pictures, self._is_listed = leases, pictures, is_listed
        self._kinds = (
            (folder, transcripts.SUFFIX),
            (replies.logs, reply_logs.SUFFIX),
            (queues.folder, queue.SUFFIX),
        )

    def run(self, session_ids: Collection[str], forget: Callable[[], None]) -> None:
        """Remove these sessions' files; `forget` removes their records.

        Raises SessionBusy, StorageError, and the exceptions of `forget`; nothing has changed then.
        """
        with self.alone(), storing("The conversations could not be removed"):
            try:
                for session_id in session_ids:
                    self._set_aside(session_id)
                forget()
            finally:
                self._settle(session_ids)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold off other purges for a block; settles an interrupted one first. Raises StorageError."""
        with storing("The trash could not be changed"), locked(self._folder, LOCK):
            self._settle(self._left())
            yield

    def settle_left(self) -> None:
        """Finish or undo an interrupted purge; a no-op while one runs. Raises OSError."""
        if not self._left():
            return
        with suppress(Locked), locked(self._folder, LOCK, timeout=0):
            self._settle(self._left())

    def _left(self) -> set[str]:
        kinds = [(folder.names(), suffix + ASIDE) for folder, suffix in self._kinds]
        return {name.removesuffix(end) for names, end in kinds for name in names if name.endswith(end)}

    def _set_aside(self, session_id: str) -> None:
        release = self._leases.acquire(session_id)
        try:
            for folder, suffix in self._kinds:
                folder.rename(session_id + suffix, session_id + suffix + ASIDE)
        finally:
            release()

    def _settle(self, session_ids: Collection[str]) -> None:
        try:
            listed = {session_id for session_id in session_ids if self._is_listed(session_id)}
            for session_id in listed:
                self._put_back(session_id)
            self._remove({*session_ids} - listed)
        except OSError:  # the next purge, or the next start, retries
            log.warning("files set aside while purging sessions could not be restored or removed", exc_info=True)

    def _put_back(self, session_id: str) -> None:
        for folder, suffix in self._kinds:
            name = session_id + suffix
            if folder.stamp(name) is None:  # never overwrite what somebody has put there meanwhile
                folder.rename(name + ASIDE, name)

    def _remove(self, session_ids: Collection[str]) -> None:
        if session_ids:
            self._replies.remove_copies(session_ids)
        for session_id in session_ids:
            self._replies.remove(session_id)
            self._queues.remove(session_id)
            self._pictures.remove(session_id)
            for folder, suffix in self._kinds:
                folder.remove(session_id + suffix + ASIDE)
            self._leases.forget(session_id)
