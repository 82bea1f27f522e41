"""The threads that handle requests. Knows no connection and no application."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any

from waitress.task import ThreadedTaskDispatcher

from webchat import threads
from webchat.errors import NoThreads

AT_FIRST = 4
"""Threads started with the server. Hundreds, most of which may never be needed, took a twentieth of its start."""


class Workers(ThreadedTaskDispatcher):
    """Handles requests in threads, which are started when no other is free, up to a number."""

    def __init__(self, most: int) -> None:
        """Raises NoThreads if the system has none left for the first ones."""
        super().__init__()
        self._most, self._growing = most, Lock()
        self.set_thread_count(min(most, AT_FIRST))

    def add_task(self, task: Any) -> None:  # noqa: ANN401  (a connection)
        """Queue a task, and start a thread if all are busy; if the system has none left, the task waits for them."""
        with self._growing:  # else two tasks at once might count on the same new thread
            with suppress(NoThreads):
                self.set_thread_count(self._needed())
            super().add_task(task)

    def start_new_thread(self, target: Callable[[int], object], thread_no: int) -> None:
        """Called by waitress, with its lock held and the number among `threads`. Raises NoThreads."""
        try:
            threads.start(target, f"waitress-{thread_no}", thread_no)
        except NoThreads:
            self.threads.discard(thread_no)
            raise

    def shutdown(self, cancel_pending: bool = True, timeout: int = 5) -> bool:
        """End all threads, and start no other; see waitress."""
        with self._growing:
            self._most = 0
        return bool(super().shutdown(cancel_pending, timeout))

    def _needed(self) -> int:
        """Threads for the tasks at work, those that wait, and one more."""
        with self.lock:
            return min(self._most, max(len(self.threads), self.active_count + len(self.queue) + 1))
