"""The queue for the model: first come, first served. Knows no model."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Line:
    """Waiting answers in the order in which they came; the first `places` of them are running.

    Each is known by the function that is called, from any thread, whenever somebody before it has left.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._people: list[Callable[[], object]] = []
        self._people_lock = threading.Lock()

    def join(self, moved: Callable[[], object]) -> None:
        with self._people_lock:
            self._people.append(moved)

    def before(self, moved: Callable[[], object]) -> int:
        """How many answers must end before this one can begin; 0 when it may."""
        with self._people_lock:
            return max(0, self._people.index(moved) - self._places + 1) if moved in self._people else 0

    def leave(self, moved: Callable[[], object]) -> None:
        """Release the place; a no-op without one."""
        with self._people_lock:
            if moved not in self._people:
                return
            self._people.remove(moved)
            waiting = list(self._people)
        for person in waiting:
            person()
