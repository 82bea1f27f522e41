"""Adds imported sessions, a batch at a time under one lock for all processes. Knows no format."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from webchat.archive.brought import Brought, Report
from webchat.chat.session import Row
from webchat.errors import WebChatError, storing
from webchat.fileutil import Locked
from webchat.replies.services import Services
from webchat.storage.protocols import CLAIMED, Lookup

log = logging.getLogger(__name__)
PATIENCE = 120.0
"""Seconds that an import waits for the batches of others."""
_COPIES = uuid.UUID("0a6c0d53-52a5-4c0f-8d0e-0a9a3a2f6c41")
"""The namespace for the ids of sessions whose own ids belong to somebody else."""


@dataclass
class _Chosen:
    """A batch, divided into sessions that are added, already known, or left out.

    `taken` are those without ids whose names another import has just given to sessions, perhaps of other conversations.
    """

    new: dict[str, Brought] = field(default_factory=dict)
    known: int = 0
    in_trash: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    taken: list[Brought] = field(default_factory=list)


class Importer:
    """Adds imported sessions in batches: all of a batch or nothing.

    First records are added as claims, which no owner sees; then the transcripts; then the claims become records. Under
    the lock, any other claim is left over from a crash, and is removed with its transcript.
    """

    def __init__(self, services: Services) -> None:
        self._storage, self._sessions = services.storage, services.storage.sessions
        self._supervisor, self._allowance, self._empty = services.supervisor, services.allowance, services.empty
        self._most = services.limits.sessions
        self._threads = threading.Lock()

    def add(self, batch: Sequence[Brought], owner: str | None, report: Report) -> Sequence[Brought]:
        """Add the batch's new sessions, and report on all but those returned: their names have been taken meanwhile.

        Raises LimitReached, NoRoom, StorageError.
        """
        self._supervisor.require_disk()
        if self._most_of(batch):
            self._empty.make_room(owner, len(batch))
        # Threads of this process queue here: waiting for other processes may mean polling.
        with storing("The sessions could not be imported"), self._threads, self._storage.importing(PATIENCE):
            self._discard(self._sessions.claimed())
            self._allowance.require_room(owner, sum(brought.size for brought in batch))
            with self._claimed(batch, owner) as chosen:
                self._write(chosen.new.values())
                self._sessions.complete([_record(brought.row, owner) for brought in chosen.new.values()])
        report.imported += chosen.new
        report.known += chosen.known
        report.in_trash += chosen.in_trash
        for name in chosen.left_out:
            report.problem(f"session {name} was left out: files with its name already exist.")
        return chosen.taken

    def here(self, owner: str | None) -> Callable[[Brought], Row | None]:
        """Returns a function that looks up this person's existing sessions."""
        lookup = self._sessions.lookup()

        def here(brought: Brought) -> Row | None:
            _, row = self._named(brought.session_id, owner, lookup)
            return row if row is not None and row.get("owner") != CLAIMED else None

        return here

    @property
    def left(self) -> list[str]:
        """The ids of claims left over from a crash; [] while an import runs. Raises StorageError, OSError."""
        claimed = self._sessions.claimed()
        return claimed if claimed and not self._storage.is_importing() else []

    def discard_left(self) -> None:
        """Remove what a crash has left; does nothing while an import runs."""
        try:
            if self.left and not self._sessions.read_only:
                with self._storage.importing(0):
                    self._discard(self._sessions.claimed())
        except Locked:
            pass
        except (WebChatError, OSError):
            log.warning("the leftovers of an interrupted import could not be removed", exc_info=True)

    @contextmanager
    def _claimed(self, batch: Sequence[Brought], owner: str | None) -> Iterator[_Chosen]:
        """Claims the batch's new sessions for a block; if the block fails, they are removed."""
        chosen = _Chosen()

        def choose(lookup: Lookup) -> Collection[str]:
            for brought in batch:
                self._choose(brought, owner, lookup, chosen)
            return chosen.new

        try:
            self._sessions.claim(choose, owner, self._most_of(batch))
            yield chosen
        except BaseException:
            with suppress(WebChatError, OSError):  # on a full disk it is left for later
                self._discard([name for name in self._sessions.claimed() if name in chosen.new])
            raise

    def _most_of(self, batch: Collection[Brought]) -> int:
        """How many sessions the person may have with these; those in the trash do not count."""
        return 0 if all(brought.row.get("deleted_at") for brought in batch) else self._most

    def _choose(self, brought: Brought, owner: str | None, lookup: Lookup, chosen: _Chosen) -> None:
        name, row = self._named(brought.session_id, owner, lookup)
        if name in chosen.new or (row and row.get("owner") != CLAIMED):
            if brought.names:
                chosen.taken.append(brought)
            elif row and row.get("deleted_at"):
                chosen.in_trash.append(name)
            else:
                chosen.known += 1
        elif row or self._storage.has(name):
            chosen.left_out.append(name)
        else:
            chosen.new[name] = replace(brought, row={**brought.row, "session_id": name})

    def _named(self, name: str, owner: str | None, lookup: Lookup) -> tuple[str, Row | None]:
        """The session's own id or, if that belongs to somebody else, the id of this owner's copy; and its record.

        The record is looked up once: a claim may become somebody else's session between two lookups.
        """
        while self._is_of_another(name, row := lookup(name), owner):
            name = str(uuid.uuid5(_COPIES, f"{owner}:{name}"))
        return name, row

    def _is_of_another(self, name: str, row: Row | None, owner: str | None) -> bool:
        if row:
            return row.get("owner") not in (owner, CLAIMED)
        # Files without a record are adopted for the owner None.
        return owner is not None and self._storage.has(name)

    def _write(self, batch: Collection[Brought]) -> None:
        times = {brought.session_id: brought.row.get("last_active") for brought in batch}
        # Before the files, whose own times are today's.
        self._sessions.touch({name: time for name, time in times.items() if time}, "import")
        for brought in batch:
            for suffix, data in brought.pictures or ():
                self._storage.pictures.put(brought.session_id, data, suffix)
        self._storage.transcripts.put_all({brought.session_id: brought.transcript for brought in batch})

    def _discard(self, session_ids: Collection[str]) -> None:
        """Remove claims: first their transcripts, since a transcript without a record would be adopted.

        A claim whose files cannot be removed stays, and affects only imports of the same session.
        """
        if removed := self._storage.discard(session_ids):
            self._sessions.drop_claims(removed)


def _record(row: Row, owner: str | None) -> Row:
    """The record that replaces a claim; it is not current."""
    mine = {} if owner is None else {"owner": owner}
    return {**row, **mine, "is_active": False}
