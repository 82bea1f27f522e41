"""The catalogue of other programs' sessions: descriptions for the list, and changes."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice

from webchat.chat.folding import folded
from webchat.chat.search import TitleQuery
from webchat.chat.session import WORKS_FOR, WebChatSession, by_folder, is_session_id
from webchat.chat.texts import DEFAULT_DESCRIPTION
from webchat.chat.times import time_of
from webchat.programs.program import Described, Program, Spotted

log = logging.getLogger(__name__)
DESCRIBED_AT_ONCE = 200
"""Sessions to describe before the list is notified: the first 20,000 take a while."""
LATEST, LAST = 2_000, 100
"""The most recent sessions whose folders are watched, and those that may themselves be folders to watch."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One session of another program, under our id for it."""

    name: str
    program: Program
    spotted: Spotted
    session: WebChatSession | None
    """None if it should not be listed."""
    folded_title: str = ""

    @property
    def parent(self) -> str | None:
        """Our id for the session that this one works for."""
        return self.session.extra.get(WORKS_FOR) if self.session else None


def name_of(program: str, session_id: str) -> str:
    """Our id for a session of another program."""
    name = f"{program}.{session_id}"
    return name if is_session_id(name) else f"{program}.{sha256(session_id.encode()).hexdigest()[:32]}"


class Catalog:
    """Safe to call from any thread; only one at a time may call `look`."""

    def __init__(self, programs: Iterable[Program], changed: Callable[[Collection[str]], object]) -> None:
        """`changed` receives the ids of the changed sessions; the list has then changed, too."""
        self._programs, self._changed = tuple(programs), changed
        self._guard = threading.Lock()
        self._known: dict[str, dict[str, Spotted]] = {program.name: {} for program in self._programs}
        self._entries: dict[str, Entry] = {}
        self._listed: tuple[Entry, ...] = ()
        self._by_folder: Mapping[str, Sequence[WebChatSession]] | None = None
        """The list by folder; None until somebody asks for it."""
        self.programs: dict[str, str] = {}
        """The programs that have sessions in the list: name and label."""
        self.version = 0
        self.is_complete = False
        """Whether all sessions have been described once."""

    def refresh(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Find what has changed, without reading unchanged files."""
        new: list[tuple[Program, Spotted]] = []
        gone: set[str] = set()
        for program in self._programs:
            known = self._known[program.name]
            now = {spotted.id: spotted for spotted in program.scan(known)}
            new += ((program, spotted) for name, spotted in now.items() if known.get(name) is not spotted)
            gone |= {name_of(program.name, name) for name in known.keys() - now.keys()}
            for name in known.keys() - now.keys():
                del known[name]
        new.sort(key=lambda found: -found[1].time)  # what is on the list's first page comes first
        for start in range(0, max(len(new), 1), DESCRIBED_AT_ONCE):
            if is_over():
                return
            part = new[start : start + DESCRIBED_AT_ONCE]
            self._take_in([self._entry(*found) for found in part], gone)
            for program, spotted in part:
                self._known[program.name][spotted.id] = spotted
            gone = set()
        self.is_complete = True

    @staticmethod
    def _entry(program: Program, spotted: Spotted) -> Entry:
        name = name_of(program.name, spotted.id)
        try:
            described = program.describe(spotted)
        except Exception:  # removed meanwhile, unreadable, or of an unexpected shape
            log.info("session %s cannot be read", name, exc_info=True)
            described = None
        if described is None:
            return Entry(name, program, spotted, None)
        session = _session(name, program, spotted, described)
        return Entry(name, program, spotted, session, folded(described.title))

    def _take_in(self, described: Collection[Entry], gone: Collection[str]) -> None:
        if not described and not gone:
            return
        with self._guard:
            entries = {name: entry for name, entry in self._entries.items() if name not in gone}
            entries |= {entry.name: entry for entry in described}
            self._entries = entries
            listed = (entry for entry in entries.values() if entry.session and not entry.parent)
            self._listed = tuple(sorted(listed, key=lambda entry: -entry.spotted.time))
            self._by_folder = None
            self.programs = {entry.program.name: entry.program.label for entry in self._listed}
            self.version += 1
        self._changed([*gone, *(entry.name for entry in described)])

    def folders(self) -> list[str]:
        """The folders worth watching: those of the most recent sessions, and the ones above them."""
        latest = [str(entry.spotted.path) for entry in self._listed[:LATEST]]
        beside = dict.fromkeys(map(os.path.dirname, latest))
        return [*dict.fromkeys((*latest[:LAST], *beside, *map(os.path.dirname, beside)))]

    @property
    def is_empty(self) -> bool:
        return not self._entries

    def get(self, name: str) -> Entry | None:
        """The session; None if it does not exist or should not be shown."""
        entry = self._entries.get(name)
        return entry if entry and entry.session else None

    def all(self) -> Collection[Entry]:
        """All sessions that may be shown, including subagents' work."""
        return [entry for entry in self._entries.values() if entry.session]

    def working_for(self, name: str) -> list[WebChatSession]:
        """The sessions of subagents that worked for this one, oldest first."""
        found = [entry.session for entry in self.all() if entry.session and entry.parent == name]
        return sorted(found, key=lambda session: session.created_at)

    def page(
        self, query: TitleQuery | None, most: int | None, folder: str | None, program: str | None
    ) -> list[WebChatSession]:
        """The first matching sessions of the list, newest first."""
        return list(islice(self._matching(query, folder, program), most))

    def by_folder(
        self, query: TitleQuery | None, folder: str | None, program: str | None
    ) -> Mapping[str, Sequence[WebChatSession]]:
        """The matching sessions of each folder, newest first; the folder of the newest comes first."""
        if query is not None or folder is not None or program is not None:
            return by_folder(self._matching(query, folder, program))
        with self._guard:
            if self._by_folder is None:
                self._by_folder = by_folder(self._matching(None, None, None))
            return self._by_folder

    def _matching(self, query: TitleQuery | None, folder: str | None, program: str | None) -> Iterator[WebChatSession]:
        for entry in self._listed:
            is_wanted = program in (None, entry.program.name) and (
                not query or query.matches_folded(entry.folded_title)
            )
            if is_wanted and entry.session and folder in (None, entry.session.working_dir):
                yield entry.session


def _session(name: str, program: Program, spotted: Spotted, described: Described) -> WebChatSession:
    parent, last_active = described.parent, time_of(spotted.time)
    works_for = {WORKS_FOR: name_of(program.name, parent)} if parent else {}
    return WebChatSession(
        name,
        described.title or DEFAULT_DESCRIPTION,
        described.created_at or last_active,
        last_active,
        is_active=False,
        extra={"working_dir": described.working_dir or "~"} | works_for,
        begun=True,
        title_by="model",
        program=program.label,
    )


def measured(look: Callable[[], object]) -> float:
    """Runs it and returns how many seconds of processor time it took."""
    begun = time.thread_time()
    look()
    return time.thread_time() - begun
