"""Imported sessions, added a batch at a time under one lock for all processes. Knows no format."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from webchat.archive.brought import Brought, Report
from webchat.errors import WebChatError, storing
from webchat.fileutil import Locked, locked
from webchat.replies.supervisor import ReplySupervisor
from webchat.session_store import Rows, WebChatSessionStore
from webchat.session_store.claims import CLAIMED

log = logging.getLogger(__name__)
LOCK = "web-chat-import"
PATIENCE = 120.0
"""Seconds that one import waits for the batches of others."""
_COPIES = uuid.UUID("0a6c0d53-52a5-4c0f-8d0e-0a9a3a2f6c41")
"""The namespace of the ids that sessions get if somebody else already has theirs."""


@dataclass
class _Chosen:
    """What is done with each session of a batch: added, known already, or left out."""

    new: dict[str, Brought] = field(default_factory=dict)
    known: int = 0
    left_out: list[str] = field(default_factory=list)


class Importer:
    """Adds imported sessions, a batch at a time: all of a batch or nothing.

    The records come first, as claims that belong to nobody who could see them; then the transcripts; then the claims
    become records. Whoever holds the lock next knows that any claim is left from a crash, and removes it with its
    transcript.
    """

    def __init__(self, store: WebChatSessionStore, supervisor: ReplySupervisor) -> None:
        self._store, self._supervisor = store, supervisor
        self._threads = threading.Lock()

    def add(self, batch: Sequence[Brought], owner: str | None, report: Report) -> None:
        """Add the sessions of the batch that are not here yet, and report on all. Raises LimitReached, StorageError."""
        self._supervisor.require_disk()
        # Threads of this process wait for each other here: waiting for the file's lock is polling.
        with storing("The sessions could not be imported"), self._threads, locked(self._store.folder, LOCK, PATIENCE):
            self._discard(self._store.claims.all())
            with self._claimed(batch, owner) as chosen:
                self._write(chosen.new.values())
                self._store.claims.complete([brought.row for brought in chosen.new.values()], owner)
        report.imported += chosen.new
        report.known += chosen.known
        for name in chosen.left_out:
            report.problem(f"session {name} was left out: files with its name lie there already.")

    def here(self, owner: str | None) -> Callable[[Brought], bool]:
        """Gives what tells whether this person has a session already, as the registry is now."""
        rows = self._store.rows

        def is_here(brought: Brought) -> bool:
            name = self._name(brought.session_id, owner, rows)
            return name in rows and not _is_claimed(name, rows)

        return is_here

    @property
    def left(self) -> list[str]:
        """The ids of claims that a crash has left; [] while an import runs. Raises StorageError, OSError."""
        claimed = self._store.claims.all()
        return claimed if claimed and not self._store.folder.is_locked(LOCK) else []

    def discard_left(self) -> None:
        """Remove what a crash has left; nothing while an import runs."""
        try:
            if self.left and not self._store.read_only:
                with locked(self._store.folder, LOCK, timeout=0):
                    self._discard(self._store.claims.all())
        except Locked:
            pass
        except (WebChatError, OSError):
            log.warning("what a broken-off import has left could not be removed", exc_info=True)

    @contextmanager
    def _claimed(self, batch: Sequence[Brought], owner: str | None) -> Iterator[_Chosen]:
        """What of the batch is new, claimed for a block; if the block fails, it is removed."""
        chosen = _Chosen()

        def choose(rows: Rows) -> Collection[str]:
            for brought in batch:
                self._choose(brought, owner, rows, chosen)
            return chosen.new

        try:
            self._store.claims.make(choose, owner)
            yield chosen
        except BaseException:
            with suppress(WebChatError, OSError):  # on a full disk it is left for later
                self._discard([name for name in self._store.claims.all() if name in chosen.new])
            raise

    def _choose(self, brought: Brought, owner: str | None, rows: Rows, chosen: _Chosen) -> None:
        name = self._name(brought.session_id, owner, rows)
        if _is_claimed(name, rows) or (
            name not in rows and name not in chosen.new and self._supervisor.has_files(name)
        ):
            chosen.left_out.append(name)
        elif name in rows or name in chosen.new:
            chosen.known += 1
        else:
            chosen.new[name] = replace(brought, row={**brought.row, "session_id": name})

    def _name(self, name: str, owner: str | None, rows: Rows) -> str:
        """The session's own id or, if that is somebody else's, the one that its copy for this owner gets."""
        while self._is_of_another(name, owner, rows):
            name = str(uuid.uuid5(_COPIES, f"{owner}:{name}"))
        return name

    def _is_of_another(self, name: str, owner: str | None, rows: Rows) -> bool:
        if name in rows:
            return rows[name].get("owner") not in (owner, CLAIMED)
        # Files without a record are adopted for the owner None.
        return owner is not None and self._supervisor.has_files(name)

    def _write(self, batch: Collection[Brought]) -> None:
        times = {brought.session_id: brought.row.get("last_active") for brought in batch}
        # Before the files, whose own times are those of today.
        self._store.activity.note_all({name: time for name, time in times.items() if time}, "import")
        self._supervisor.transcripts.put_all({brought.session_id: brought.transcript for brought in batch})

    def _discard(self, session_ids: Collection[str]) -> None:
        """Remove claims: first their transcripts, since a transcript without a record would be adopted.

        A claim whose files cannot be removed stays, and holds up nobody but who imports the same session.
        """
        if removed := [session_id for session_id in session_ids if self._is_removed(session_id)]:
            self._supervisor.transcripts.remove_unfinished(removed)
            self._store.claims.drop(removed)

    def _is_removed(self, session_id: str) -> bool:
        try:
            self._supervisor.remove(session_id)
        except (WebChatError, OSError):
            log.warning("what a broken-off import has left of %s could not be removed", session_id, exc_info=True)
            return False
        return True


def _is_claimed(name: str, rows: Rows) -> bool:
    return name in rows and rows[name].get("owner") == CLAIMED
