"""The storage engine in memory, for one process: for chats without files, and for tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager

from webchat.chat.reply import left_record
from webchat.chat.times import utc_now
from webchat.errors import SessionBusy
from webchat.fileutil import Locked, jsonlines
from webchat.storage.memory.conversations import MemoryQueue, MemoryReplyLogs, MemoryTranscripts
from webchat.storage.memory.documents import MemoryDocuments
from webchat.storage.memory.pictures import MemoryPictures
from webchat.storage.memory.sessions import MemoryTable, MemoryTouches
from webchat.storage.polling_bus import PollingBus
from webchat.storage.protocols import Kept, Release, Texts
from webchat.storage.search import SearchIndex
from webchat.storage.table_sessions import TableSessions
from webchat.storage.usage import Usage


class MemoryLeases:
    """See `Leases`."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def acquire(self, session_id: str) -> Release:
        with self._guard:
            lock = self._locks.setdefault(session_id, threading.Lock())
        if not lock.acquire(timeout=1.0):
            raise SessionBusy
        return lock.release

    def is_held(self, session_id: str) -> bool:
        lock = self._locks.get(session_id)
        return lock is not None and lock.locked()


class MemoryStorage:
    """See `webchat.storage.protocols.Storage`. Nothing outlives the object."""

    def __init__(self) -> None:
        self.sessions = TableSessions(MemoryTable(), MemoryTouches())
        self.transcripts, self.leases = MemoryTranscripts(), MemoryLeases()
        self.replies, self.queue = MemoryReplyLogs(self.transcripts), MemoryQueue()
        self.documents, self.pictures = MemoryDocuments(), MemoryPictures()
        self._usage = Usage(self.sessions, self._size, self.pictures.states, self.queue.states)
        self.bus = PollingBus(self.sessions.version, self._states)
        self.search = SearchIndex(self.transcripts)
        self._indexes = [self.search]
        self._purging, self._importing = threading.Lock(), threading.Lock()

    place = "this process's memory"
    is_for_several = False

    def index_of(self, texts: Texts, name: str) -> SearchIndex:
        self._indexes.append(SearchIndex(texts))
        return self._indexes[-1]

    def now(self) -> str:
        return utc_now()

    def has(self, session_id: str) -> bool:
        return self.transcripts.version(session_id) is not None or self.replies.version(session_id) is not None

    def queued(self) -> dict[str, object]:
        return self._states(self.queue.sessions())

    def export(self, session_id: str) -> bytes:
        data, view = self.transcripts.export(session_id), self.replies.view(session_id)
        left = left_record(view, self.transcripts.read(session_id).messages)
        return data if left is None else jsonlines.followed_by(data, left)

    def kept_by(self, owner: str | None) -> Kept:
        return self._usage.of(owner)

    def people(self) -> list[Kept]:
        return self._usage.of_all()

    def taken(self) -> int:
        """Bytes of all messages, pictures and queues, counted as they change."""
        return self.transcripts.taken() + self.pictures.taken() + self.queue.taken()

    def discard(self, session_ids: Collection[str]) -> list[str]:
        for session_id in session_ids:
            self._remove(session_id)
        return list(session_ids)

    def purge(self, session_ids: Collection[str], forget: Callable[[], None]) -> None:
        with self._purging, ExitStack() as leases:
            for session_id in session_ids:
                leases.callback(self.leases.acquire(session_id))
            forget()
            self.discard(session_ids)

    @contextmanager
    def without_purges(self) -> Iterator[None]:
        with self._purging:
            yield

    @contextmanager
    def importing(self, patience: float) -> Iterator[None]:
        if not self._importing.acquire(timeout=patience):
            raise Locked("import")
        try:
            yield
        finally:
            self._importing.release()

    def is_importing(self) -> bool:
        return self._importing.locked()

    def recover(self) -> None:
        """Nothing survives a crash."""

    def adopt(self) -> list[str]:
        return []

    def free(self) -> int | None:
        return None

    def probe(self) -> None:
        """Memory can always be written."""

    def close(self) -> None:
        self.bus.close()
        for index in self._indexes:
            index.close()

    def _remove(self, session_id: str) -> None:
        for kind in (self.queue, self.replies, self.transcripts, self.pictures):
            kind.remove(session_id)

    def _size(self, session_id: str) -> int:
        pictures = sum(self.pictures.sizes(session_id).values())
        return self.transcripts.size(session_id) + pictures + self.queue.size(session_id)

    def _states(self, session_ids: Collection[str]) -> dict[str, object]:
        kinds = (self.transcripts, self.replies, self.queue)
        return {key: tuple(kind.version(key) for kind in kinds) for key in session_ids}
