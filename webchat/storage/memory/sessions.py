"""The records of sessions in memory. Knows no message."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from webchat.chat.times import seconds_of
from webchat.storage.table import Moment, Registry, Rows


class MemoryTable:
    """See `Table`."""

    kept_aside: str | None = None

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._registry, self._version = Registry(), 0

    def read(self) -> Registry:
        return self._registry

    def stamp(self) -> object:
        return self._version

    def update(self, change: Callable[[Rows], Rows]) -> Rows:
        with self._lock:
            rows = change(self._registry.rows)
            self._registry, self._version = Registry(rows), self._version + 1
            return rows


class MemoryTouches:
    """See `Touches`."""

    generation = 0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: dict[str, Moment] = {}
        self._moved: list[str] = []
        self.newest = float("-inf")

    def note_all(self, times: Mapping[str, str], what: str) -> None:
        with self._lock:
            for session_id, at in times.items():
                moment = Moment(seconds_of(at), len(self._moved) + 1, at, what == "import")
                if not moment.imported:
                    self.newest = max(self.newest, moment.seconds)
                    moment = moment._replace(seconds=self.newest)
                self._latest[session_id] = max(self._latest.get(session_id, moment), moment)
                self._moved.append(session_id)

    def latest(self, session_id: str) -> Moment | None:
        return self._latest.get(session_id)

    latest_known = latest

    def moved(self, generation: int, since: int) -> tuple[Sequence[str], int]:
        with self._lock:
            return self._moved[since:] if generation == self.generation else (), len(self._moved)

    def stamp(self) -> object:
        return len(self._moved)
