"""Finds sessions: by page and title, or by their messages. Knows no engine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import islice

from webchat.chat.search import Found, Hit, title_query
from webchat.chat.session import by_folder as sessions_by_folder
from webchat.housekeeping import Housekeeping
from webchat.programs import OtherPrograms
from webchat.replies.services import Services
from webchat.session_reader import SessionReader
from webchat.session_store import WebChatSession
from webchat.storage.protocols import Shelf

log = logging.getLogger(__name__)


class SessionDirectory:
    """Lists and searches the sessions of each owner."""

    def __init__(
        self, services: Services, housekeeping: Housekeeping, programs: OtherPrograms, reader: SessionReader
    ) -> None:
        self._store, self._storage = services.store, services.storage
        self._housekeeping, self._programs, self._reader = housekeeping, programs, reader

    def version(self, owner: str | None = None) -> object:
        """The last known version of this person's list of sessions."""
        return self._storage.bus.list_version(owner), self._programs.version

    def page(
        self,
        shelf: Shelf,
        query: str = "",
        start: int = 0,
        count: int | None = None,
        owner: str | None = None,
        folder: str | None = None,
        program: str | None = None,
        *,
        by_folder: bool = False,
    ) -> list[WebChatSession]:
        """Sessions on that shelf that match by title, the pinned ones first, then newest first.

        `query` is text in a title, or words that begin words of it; `start` is how many to skip; with `folder` only the
        sessions that work there, with `program` only those of that other program. With `by_folder` the sessions of a
        folder are grouped.
        """
        wanted, end = title_query(query), None if count is None else start + count
        if shelf == "trash":
            trash = [item for item in self._housekeeping.trash(owner) if not wanted or wanted.matches(item.description)]
            trash = [item for item in trash if folder in (None, item.working_dir)]
            return list(islice(_grouped(trash, {}), start, end)) if by_folder else trash[start:end]
        has_theirs = bool(self._programs) and shelf != "archive"
        if not (has_theirs or by_folder):
            return self._store.sessions.page(owner, shelf, wanted, start, count, folder)
        most = None if by_folder else end
        ours = [] if has_theirs and program else self._store.sessions.page(owner, shelf, wanted, 0, most, folder)
        if by_folder:
            theirs = self._programs.by_folder(wanted, folder, program) if has_theirs else {}
            return list(islice(_grouped(ours, theirs), start, end))
        return list(islice(_merged(ours, self._programs.page(wanted, most, folder, program)), start, end))

    def search(
        self,
        query: str,
        limit: int,
        owner: str | None = None,
        folder: str | None = None,
        program: str | None = None,
    ) -> Found:
        """The sessions with a message that has all these words, newest first, each with its latest such message.

        Case and accents are ignored, and words match as prefixes; `folder` and `program` are as in `page`.
        """

        def is_wanted(session_id: str) -> bool:
            session = self._store.get(session_id, owner)
            return session is not None and folder in (None, session.working_dir)

        ours = Found([], complete=True)
        if not program:
            ours = _asked(lambda: self._storage.search.find(query, owner, is_wanted, limit))
        theirs = _asked(lambda: self._programs.search(query, limit, folder, program)) if self._programs else None
        return self._both(ours, theirs, owner, limit) if theirs else ours

    def _both(self, ours: Found, theirs: Found, owner: str | None, limit: int) -> Found:
        """The hits of both searches, newest first."""

        def time(hit: Hit) -> str:
            session = self._reader.find(hit.session_id, owner)
            return session.last_active if session else ""

        hits = [*merge(ours.hits, theirs.hits, key=time, reverse=True)]
        return Found(hits[:limit], ours.complete and theirs.complete, ours.partial or theirs.partial)


def _merged(ours: Sequence[WebChatSession], theirs: Sequence[WebChatSession]) -> Iterator[WebChatSession]:
    """Both lists merged: temporary and pinned sessions, with which ours begin, then the newest first."""
    first = [session for session in ours if session.pinned or session.temporary] if theirs else ours
    yield from first
    yield from merge(ours[len(first) :], theirs, key=lambda session: session.last_active, reverse=True)


def _grouped(
    ours: Iterable[WebChatSession], theirs: Mapping[str, Sequence[WebChatSession]]
) -> Iterator[WebChatSession]:
    """The sessions of each folder, merged; the folder of the first comes first. Merges no more than is read."""
    own = sessions_by_folder(ours)
    first = _merged([found[0] for found in own.values()], [found[0] for found in theirs.values()])
    for folder in dict.fromkeys(session.working_dir for session in first):
        yield from _merged(own.get(folder, ()), theirs.get(folder, ()))


def _asked(find: Callable[[], Found]) -> Found:
    try:
        return find()
    except Exception:  # derived data: a damaged index is rebuilt
        log.warning("the search index could not be queried", exc_info=True)
        return Found([], complete=False)
