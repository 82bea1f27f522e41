"""The storage engine of plain files. The only module that knows where each file is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from webchat.chat.times import utc_now
from webchat.conventions import (
    SERVER_DIR,
    WEB_CHAT_ACTIVITY_FILENAME,
    WEB_CHAT_PICTURES_DIR,
    WEB_CHAT_SEARCH_FILENAME,
    WEB_CHAT_TRANSCRIPTS_DIR,
)
from webchat.errors import WebChatError, storing
from webchat.fileutil import DiskFolder, Stamp, locked
from webchat.observer import NOBODY, Observer
from webchat.storage.files.activity import Activity
from webchat.storage.files.adoption import Adoption
from webchat.storage.files.documents import FileDocuments
from webchat.storage.files.leases import FileLeases
from webchat.storage.files.pictures import FilePictures
from webchat.storage.files.purge import Purge
from webchat.storage.files.queue import FileQueue
from webchat.storage.files.registry import RegistryFile
from webchat.storage.files.reply_logs import FileReplyLogs
from webchat.storage.files.transcripts import FileTranscripts
from webchat.storage.polling_bus import PollingBus
from webchat.storage.protocols import Kept, Texts
from webchat.storage.search import SearchIndex
from webchat.storage.table_sessions import TableSessions
from webchat.storage.usage import Usage

log = logging.getLogger(__name__)
IMPORT_LOCK = "web-chat-import"
ALL_LOOKED_AT = 1.0
"""Seconds between two checks of the transcripts of all open pages, for changes that no writer has noted."""
PROBE = ".webchat-probe"
PROBE_BYTES = b"written to see whether the disk takes writes\n" * 100
"""Too large for a file system to store inline with the file's metadata: a full disk has no room for it."""


class FileStorage:
    """See `webchat.storage.protocols.Storage`: the registry's file, and what lies beside it."""

    def __init__(self, path: Path, observer: Observer = NOBODY) -> None:
        """`path` is the registry's file; `observer` measures writes."""
        self.folder = _folder_of(path, observer)
        folder = self.folder.sub(WEB_CHAT_TRANSCRIPTS_DIR)
        self.transcripts, self.leases = FileTranscripts(folder), FileLeases(folder)
        self.replies = FileReplyLogs(folder, self.transcripts, self.leases)
        self.queue = FileQueue(folder)
        self.activity = Activity(self.folder, WEB_CHAT_ACTIVITY_FILENAME, self.transcripts.last_written)
        self.sessions = TableSessions(RegistryFile(self.folder, path.name), self.activity)
        self._home = _home_of(path, observer)
        self.documents = FileDocuments(self._home, self.folder)
        self.pictures = FilePictures(self.folder.sub(WEB_CHAT_PICTURES_DIR))
        self._usage = Usage(self.sessions, self._size, self.pictures.states, self.queue.states)
        self.bus = PollingBus(self.sessions.version, self._states)
        self._known: dict[str, Stamp | None] = {}
        """The state of each transcript at the last check."""
        self._noted: object = None
        self._all_due = 0.0
        self.search = SearchIndex(self.transcripts, self.folder.path / WEB_CHAT_SEARCH_FILENAME, folder.require_no_link)
        self._indexes = [self.search]
        self._purge = Purge(folder, self.replies, self.queue, self.leases, self.pictures, self._is_listed)
        self._has_taken_in_older = False
        self.adoption = Adoption(self.sessions, self.transcripts)

    is_for_several = False

    @property
    def place(self) -> str:
        return str(self._home.path)

    def index_of(self, texts: Texts, name: str) -> SearchIndex:
        index = SearchIndex(texts, self.folder.path / f"web-chat-search-{name}.sqlite", self.folder.require_no_link)
        self._indexes.append(index)
        return index

    def now(self) -> str:
        return utc_now()

    def has(self, session_id: str) -> bool:
        return self.transcripts.version(session_id) is not None or self.replies.version(session_id) is not None

    def queued(self) -> dict[str, object]:
        kinds = (self.queue, self.transcripts, self.replies)
        return {key: tuple(kind.version(key) for kind in kinds) for key in self.queue.sessions()}

    def export(self, session_id: str) -> bytes:
        return self.replies.whole(session_id)

    def kept_by(self, owner: str | None) -> Kept:
        return self._usage.of(owner)

    def people(self) -> list[Kept]:
        return self._usage.of_all()

    def discard(self, session_ids: Collection[str]) -> list[str]:
        removed = [session_id for session_id in session_ids if self._is_removed(session_id)]
        if removed:
            self.transcripts.remove_unfinished(removed)
        return removed

    def _is_removed(self, session_id: str) -> bool:
        try:
            release = self.leases.acquire(session_id)
            try:
                self.queue.remove(session_id)
                self.replies.remove(session_id)
                self.pictures.remove(session_id)
                self.transcripts.remove(session_id)
            finally:
                release()
        except (WebChatError, OSError):
            log.warning("the rest of session %s could not be removed", session_id, exc_info=True)
            return False
        with suppress(OSError):
            self.leases.forget(session_id)
        return True

    def purge(self, session_ids: Collection[str], forget: Callable[[], None]) -> None:
        self._purge.run(session_ids, forget)
        self.transcripts.drop_cached(session_ids)

    @contextmanager
    def without_purges(self) -> Iterator[None]:
        with self._purge.alone():
            yield

    @contextmanager
    def importing(self, patience: float) -> Iterator[None]:
        with locked(self.folder, IMPORT_LOCK, patience):
            yield

    def is_importing(self) -> bool:
        return self.folder.is_locked(IMPORT_LOCK)

    def recover(self) -> None:
        if not self.sessions.read_only:
            self._purge.settle_left()
        if not self._has_taken_in_older:
            self.replies.take_in_older()
            self._has_taken_in_older = True

    def adopt(self) -> list[str]:
        return self.adoption.run()

    def free(self) -> int | None:
        return self.folder.free()

    def probe(self) -> None:
        self.folder.replace(PROBE, PROBE_BYTES)
        self.folder.remove(PROBE)

    def close(self) -> None:
        self.bus.close()
        for index in self._indexes:
            index.close()

    def _size(self, session_id: str) -> int:
        sizes = self.transcripts.size(session_id), self.pictures.size(session_id), self.queue.size(session_id)
        return sum(sizes)

    def _is_listed(self, session_id: str) -> bool:
        return self.sessions.row(session_id) is not None

    def _states(self, session_ids: Collection[str]) -> dict[str, object]:
        """For each session, a version that changes when its readers should check for changes.

        It also changes when a writer in another process dies. Writers of this process wake readers directly. Writers in
        other processes note changes in `activity`; anything not noted there waits for `ALL_LOOKED_AT`.
        """
        in_flight, queued = {*self.replies.sessions()} - self.replies.begun, {*self.queue.sessions()}
        noted, now, known = self.activity.stamp(), time.monotonic(), self._known
        if noted != self._noted or now >= self._all_due:
            self._noted, self._all_due, known = noted, now + ALL_LOOKED_AT, {}
        self._known = {
            key: known[key] if key in known and key not in in_flight else self.transcripts.version(key)
            for key in session_ids
        }
        return {
            key: (
                self._state(key) if key in in_flight else self._known[key],
                self.queue.version(key) if key in queued else None,
            )
            for key in session_ids
        }

    def _state(self, session_id: str) -> object:
        with storing("The conversation could not be read"):
            held = self.leases.is_held(session_id)
            return self.transcripts.version(session_id), self.replies.version(session_id), held


def _folder_of(path: Path, observer: Observer) -> DiskFolder:
    """The registry's folder. A home's own folder for it must not be a link that leads out of the home."""
    home = _home_of(path, observer)
    return home.sub(SERVER_DIR) if path.parent.name == SERVER_DIR else home


def _home_of(path: Path, observer: Observer) -> DiskFolder:
    """The folder with all files. An embedding application may keep the registry outside a folder `server`."""
    folder = path.parent
    return DiskFolder(folder.parent if folder.name == SERVER_DIR else folder, observer)
