"""A storage engine with temporary sessions beside it, which are kept in this process's memory and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress

from webchat.chat.session import Row, WebChatSession
from webchat.errors import MemoryFull, SessionNotFound
from webchat.limits import MIB
from webchat.storage.memory.engine import MemoryStorage
from webchat.storage.protocols import Bus, Documents, Kept, Search, Storage, Texts
from webchat.storage.temporary.conversations import (
    RoutedLeases,
    RoutedPictures,
    RoutedQueue,
    RoutedReplyLogs,
    RoutedTranscripts,
)
from webchat.storage.temporary.sessions import RoutedSessions

MOST_BYTES = 256 * MIB
"""Of the messages, queues and pictures of all temporary sessions together."""
PATIENCE = 5.0
"""Seconds that a session which is kept after all waits for a running import's batch."""


class WithTemporary:
    """See `webchat.storage.protocols.Storage`.

    A session is temporary if its record says so when it is inserted. All that names such a session goes to an engine in
    memory, also after it was removed, so that nothing of a late writer reaches the other engine. What is listed without
    naming a session, for the search, an export or the trash, has no temporary ones.
    """

    is_for_several = False

    def __init__(self, main: Storage) -> None:
        self.main, self._memory = main, MemoryStorage()
        self._temporary: set[str] = set()
        """The ids of all temporary sessions that there were."""
        self.most_bytes = MOST_BYTES
        self.sessions = RoutedSessions(main.sessions, self._memory.sessions, self._temporary)
        self.transcripts = RoutedTranscripts(self._engine_of, main.transcripts, self._require_room_in)
        self.replies = RoutedReplyLogs(self._engine_of, main.replies, self._require_room_in)
        self.queue = RoutedQueue(self._engine_of, main.queue, self._require_room_in)
        self.pictures = RoutedPictures(self._engine_of, self._require_room_in)
        self.leases = RoutedLeases(self._engine_of)
        # Readers of both are woken by one bus: what happens in a temporary session is this process's own doing.
        main.bus.watch_also(self._memory.sessions.version)

    @property
    def documents(self) -> Documents:
        return self.main.documents

    @property
    def bus(self) -> Bus:
        return self.main.bus

    @property
    def search(self) -> Search:
        return self.main.search

    @property
    def place(self) -> str:
        return self.main.place

    def index_of(self, texts: Texts, name: str) -> Search:
        return self.main.index_of(texts, name)

    def now(self) -> str:
        return self.main.now()

    def has(self, session_id: str) -> bool:
        return self._engine_of(session_id).has(session_id)

    def queued(self) -> dict[str, object]:
        return {**self.main.queued(), **self._memory.queued()}

    def export(self, session_id: str) -> bytes:
        return self._engine_of(session_id).export(session_id)

    def kept_by(self, owner: str | None) -> Kept:
        kept, more = self.main.kept_by(owner), self._memory.kept_by(owner)
        latest = max(kept.last_active, more.last_active)
        return Kept(owner, kept.sessions + more.sessions, kept.deleted, kept.bytes + more.bytes, latest)

    def people(self) -> Collection[Kept]:
        return self.main.people()

    def discard(self, session_ids: Collection[str]) -> list[str]:
        temporary, others = self._sorted(session_ids)
        return [*self._memory.discard(temporary), *(self.main.discard(others) if others else ())]

    def purge(self, session_ids: Collection[str], forget: Callable[[], None]) -> None:
        temporary, others = self._sorted(session_ids)
        if not temporary:
            self.main.purge(others, forget)
        elif not others:
            self._memory.purge(temporary, forget)
        else:
            self.main.purge(others, lambda: self._memory.purge(temporary, forget))

    def without_purges(self) -> AbstractContextManager[None]:
        return self.main.without_purges()

    def importing(self, patience: float) -> AbstractContextManager[None]:
        return self.main.importing(patience)

    def is_importing(self) -> bool:
        return self.main.is_importing()

    def recover(self) -> None:
        self.main.recover()

    def adopt(self) -> list[str]:
        return self.main.adopt()

    def free(self) -> int | None:
        return self.main.free()

    def probe(self) -> None:
        self.main.probe()

    def close(self) -> None:
        self.main.close()
        self._memory.close()

    # Temporary sessions

    def temporary_sessions(self) -> list[WebChatSession]:
        """The temporary sessions of every owner."""
        sessions = self._memory.sessions
        return [session for owner in sessions.owners() for session in sessions.all_of(owner)]

    def require_memory(self, more: int) -> None:
        """Raises MemoryFull if temporary sessions may not take so many more bytes."""
        if self._memory.taken() + more > self.most_bytes:
            raise MemoryFull

    def ended(self) -> list[str]:
        """The ids of ended ones that a late writer has left something of."""
        written = {*self._memory.transcripts.sessions(), *self._memory.replies.sessions()}
        return [session_id for session_id in written if self._memory.sessions.row(session_id) is None]

    def keep(self, session_id: str, changes: Row, most: int) -> None:
        """Write a temporary session, whole and with these changes to its record; it is one like all others then.

        The caller holds its lease. Raises SessionNotFound if there is no such temporary session, LimitReached if its
        owner may not have more than `most` (0: no limit), OSError; it stays temporary then.
        """
        row = self.sessions.row(session_id)
        if row is None or session_id not in self._temporary:
            raise SessionNotFound(session_id)
        claims = self.main.sessions
        with self.main.importing(PATIENCE):  # otherwise the claim might be taken for one that a crash has left
            claims.claim(lambda lookup: [session_id], row.get("owner"), most)
            try:
                self._write(session_id)
                claims.complete([{**row, **changes, "is_active": False}])
            except BaseException:
                with suppress(OSError):  # on a full disk it is left for later
                    claims.drop_claims(self.main.discard([session_id]))
                raise
        self._temporary.discard(session_id)
        self._memory.sessions.delete([session_id], lambda name, row: None)
        self._memory.discard([session_id])

    def _write(self, session_id: str) -> None:
        """Write what a temporary session has."""
        main, memory = self.main, self._memory
        for key in memory.pictures.sizes(session_id):
            data = memory.pictures.read(session_id, key)
            if data is not None:
                main.pictures.put(session_id, data, key.partition(".")[2])
        main.transcripts.put_all({session_id: memory.transcripts.export(session_id)})
        waiting = memory.queue.items(session_id)
        if waiting:
            with main.queue.changing(session_id) as items:
                items[:] = waiting

    # Inside

    def _engine_of(self, session_id: str) -> Storage:
        return self._memory if session_id in self._temporary else self.main

    def _sorted(self, session_ids: Collection[str]) -> tuple[list[str], list[str]]:
        """Those that are temporary, and the others."""
        temporary = [name for name in session_ids if name in self._temporary]
        return temporary, [name for name in session_ids if name not in self._temporary]

    def _require_room_in(self, session_id: str, more: int) -> None:
        """Raises MemoryFull if the session is temporary and so many more bytes are too many."""
        if session_id in self._temporary:
            self.require_memory(more)


def with_temporary(storage: Storage) -> Storage:
    """The storage with temporary sessions; the same one if several servers may serve it.

    A temporary session is in one of them, and the others would not find it.
    """
    return storage if storage.is_for_several else WithTemporary(storage)
