"""A storage engine with temporary sessions beside it, which are only in this process's memory."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress

from webchat.chat.session import Row, WebChatSession
from webchat.errors import SessionNotFound
from webchat.storage.protocols import Kept, Search, Storage, Texts
from webchat.storage.temporary.conversations import (
    RoutedLeases,
    RoutedPictures,
    RoutedQueue,
    RoutedReplyLogs,
    RoutedTranscripts,
    copy_bytes,
)
from webchat.storage.temporary.engines import Engines
from webchat.storage.temporary.sessions import RoutedSessions

PATIENCE = 5.0
"""Seconds that keeping a temporary session waits for a running import."""


class WithTemporary:
    """See `webchat.storage.protocols.Storage`, and `HoldingTemporary`.

    A session is temporary if its record says so when it is inserted. All calls for such a session go to an engine in
    memory, even after it was removed, so that a late writer never writes to the other engine. Calls that list sessions,
    for the search, an export or the trash, leave temporary ones out.
    """

    is_for_several = False

    def __init__(self, main: Storage) -> None:
        self.main, self.engines = main, (engines := Engines(main))
        self._memory = engines.memory
        self.sessions = RoutedSessions(engines)
        self.transcripts, self.replies = RoutedTranscripts(engines), RoutedReplyLogs(engines)
        self.queue, self.pictures, self.leases = RoutedQueue(engines), RoutedPictures(engines), RoutedLeases(engines)
        self.documents, self.bus, self.search, self.place = main.documents, main.bus, main.search, main.place
        # One bus wakes the readers of both engines: only this process changes temporary sessions.
        main.bus.watch_also(self._memory.sessions.version)

    def index_of(self, texts: Texts, name: str) -> Search:
        return self.main.index_of(texts, name)

    def now(self) -> str:
        return self.main.now()

    def has(self, session_id: str) -> bool:
        return self.engines.of(session_id).has(session_id)

    def queued(self) -> dict[str, object]:
        return {**self.main.queued(), **self._memory.queued()}

    def export(self, session_id: str) -> bytes:
        return self.engines.of(session_id).export(session_id)

    def kept_by(self, owner: str | None) -> Kept:
        kept, more = self.main.kept_by(owner), self._memory.kept_by(owner)
        latest = max(kept.last_active, more.last_active)
        return Kept(owner, kept.sessions + more.sessions, kept.deleted, kept.bytes + more.bytes, latest)

    def people(self) -> Collection[Kept]:
        return self.main.people()

    def discard(self, session_ids: Collection[str]) -> list[str]:
        temporary, others = self.engines.split(session_ids)
        return [*self._memory.discard(temporary), *(self.main.discard(others) if others else ())]

    def purge(self, session_ids: Collection[str], forget: Callable[[], None]) -> None:
        temporary, others = self.engines.split(session_ids)
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

    # Temporary sessions: see `HoldingTemporary`

    def temporary_sessions(self) -> list[WebChatSession]:
        sessions = self._memory.sessions
        return [session for owner in sessions.owners() for session in sessions.all_of(owner)]

    def temporary_of(self, owner: str | None) -> list[WebChatSession]:
        return self._memory.sessions.all_of(owner)

    def require_temporary_room(self, owner: str | None) -> None:
        self.sessions.require_temporary_room(owner)

    def require_memory(self, more: int) -> None:
        self.engines.require_memory(more)

    def ended(self) -> list[str]:
        written = {*self._memory.transcripts.sessions(), *self._memory.replies.sessions()}
        return [session_id for session_id in written if self._memory.sessions.row(session_id) is None]

    def keep(self, session_id: str, changes: Row, most: int) -> None:
        row, temporary = self.sessions.row(session_id), self.engines.temporary
        if row is None or session_id not in temporary:
            raise SessionNotFound(session_id)
        claims = self.main.sessions
        with self.main.importing(PATIENCE):  # otherwise an import might take the claim for one that a crash has left
            claims.claim(lambda lookup: [session_id], row.get("owner"), most)
            try:
                self._write(session_id)
                claims.complete([{**row, **changes, "is_active": False}])
            except BaseException:
                with suppress(OSError):  # on a full disk it is retried later
                    claims.drop_claims(self.main.discard([session_id]))
                raise
        temporary.discard(session_id)
        self._memory.sessions.delete([session_id], lambda name, row: None)
        self._memory.discard([session_id])

    def _write(self, session_id: str) -> None:
        """Write all of a temporary session to the main engine."""
        main, memory = self.main, self._memory
        copy_bytes(memory.pictures, session_id, session_id, memory.pictures.sizes(session_id), main.pictures.put)
        main.transcripts.put_all({session_id: memory.transcripts.export(session_id)})
        if waiting := memory.queue.items(session_id):
            with main.queue.changing(session_id) as items:
                items[:] = waiting
