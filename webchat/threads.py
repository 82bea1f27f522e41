"""Starts threads, and reports if the system has none left. Knows no chat."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context
from queue import Empty, SimpleQueue
from typing import Any

from webchat.errors import NoThreads

IDLE = 2.0
"""Seconds for which a thread that has done its work waits for more, by default."""
Work = tuple[Callable[[], object], str]
"""What to call, and the thread's name meanwhile."""


def start(target: Callable[..., object], name: str, *args: Any) -> threading.Thread:  # noqa: ANN401
    """Run `target(*args)` in a daemon thread; returns it. Raises NoThreads; then nothing was started."""
    thread = threading.Thread(target=target, args=args, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # "can't start new thread"
        raise NoThreads from error
    return thread


class ReusedThreads:
    """Daemon threads for work that begins often. Each waits for more work for a moment before it ends.

    Starting a thread makes the caller wait until that has run, which takes long if many compute.
    """

    def __init__(self, idle: float = IDLE) -> None:
        self._patience = idle
        self._idle: deque[SimpleQueue[Work]] = deque()
        """What each idle thread waits for; the last one has been idle for the shortest time."""
        self._process = os.getpid()

    def start(self, target: Callable[[], object], name: str) -> None:
        """Run `target()` in a thread of its own, in an empty context. Raises NoThreads; then nothing was started."""
        if self._process != os.getpid():  # a fork has none of its parent's threads
            self._idle.clear()
            self._process = os.getpid()
        try:
            self._idle.pop().put((target, name))
        except IndexError:
            inbox: SimpleQueue[Work] = SimpleQueue()
            inbox.put((target, name))
            start(self._run, name, inbox)

    def _run(self, inbox: SimpleQueue[Work]) -> None:
        work: Work | None = inbox.get()
        while work:
            threading.current_thread().name = work[1]
            Context().run(work[0])
            work = None  # what belongs to it must not live as long as this thread
            work = self._next(inbox)

    def _next(self, inbox: SimpleQueue[Work]) -> Work | None:
        """More work; None if there was none for long enough, and this thread gets no more."""
        self._idle.append(inbox)
        threading.current_thread().name = "idle"
        try:
            return inbox.get(timeout=self._patience)
        except Empty:
            try:
                self._idle.remove(inbox)
            except ValueError:  # it is being handed over at this moment
                return inbox.get()
            return None
