"""The queue for the model: first come, first served. Knows no model."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Line:
    """Answers in order of arrival; the first `places` of them are running, the others wait.

    An answer is identified by its callback, which is called, from any thread, whenever an answer has left the queue.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._people: list[Callable[[], object]] = []
        self._people_lock = threading.Lock()

    def join(self, moved: Callable[[], object]) -> None:
        with self._people_lock:
            self._people.append(moved)

    def before(self, moved: Callable[[], object]) -> int:
        """How many answers must end before this one may begin; 0: now."""
        with self._people_lock:
            return max(0, self._people.index(moved) - self._places + 1) if moved in self._people else 0

    def leave(self, moved: Callable[[], object]) -> None:
        """Release the place, if the answer has one."""
        with self._people_lock:
            if moved not in self._people:
                return
            self._people.remove(moved)
            waiting = list(self._people)
        for person in waiting:
            person()
