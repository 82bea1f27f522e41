"""The catalogue of other programs' sessions: descriptions for the list, and changes."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256

from webchat.chat.folding import folded
from webchat.chat.search import TitleQuery
from webchat.chat.session import is_session_id
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
    described: Described | None
    """None if it should not be listed."""
    folded_title: str = ""

    @property
    def title(self) -> str:
        return (self.described.title if self.described else "") or DEFAULT_DESCRIPTION

    @property
    def working_dir(self) -> str:
        return (self.described.working_dir if self.described else "") or "~"

    @property
    def last_active(self) -> str:
        return time_of(self.spotted.time)

    @property
    def parent(self) -> str | None:
        """Our id for the session that this one works for."""
        parent = self.described.parent if self.described else None
        return name_of(self.program.name, parent) if parent else None


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
        return Entry(name, program, spotted, described, folded(described.title) if described else "")

    def _take_in(self, described: Collection[Entry], gone: Collection[str]) -> None:
        if not described and not gone:
            return
        with self._guard:
            entries = {name: entry for name, entry in self._entries.items() if name not in gone}
            entries |= {entry.name: entry for entry in described}
            self._entries = entries
            listed = (entry for entry in entries.values() if entry.described and not entry.parent)
            self._listed = tuple(sorted(listed, key=lambda entry: -entry.spotted.time))
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
        return entry if entry and entry.described else None

    def all(self) -> Collection[Entry]:
        """All sessions that may be shown, including subagents' work."""
        return [entry for entry in self._entries.values() if entry.described]

    def working_for(self, name: str) -> list[Entry]:
        """The sessions of subagents that worked for this one, oldest first."""
        found = [entry for entry in self.all() if entry.parent == name]
        return sorted(found, key=lambda entry: (entry.described and entry.described.created_at) or entry.last_active)

    def page(self, query: TitleQuery | None, most: int | None, folder: str | None, program: str | None) -> list[Entry]:
        """The first matching sessions of the list, newest first."""
        found: list[Entry] = []
        for entry in self._listed:
            if most is not None and len(found) == most:
                break
            is_wanted = folder in (None, entry.working_dir) and program in (None, entry.program.name)
            if is_wanted and (query is None or query.matches_folded(entry.folded_title)):
                found.append(entry)
        return found


def measured(look: Callable[[], object]) -> float:
    """Runs it and returns how many seconds of processor time it took."""
    begun = time.thread_time()
    look()
    return time.thread_time() - begun
