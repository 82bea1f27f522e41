"""Keeps the embedded model ready: downloads and loads it, unloads it when idle, and restarts it after a failure.

Knows no conversation.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

from webchat import threads
from webchat.backends.local.child import Child
from webchat.errors import BackendUnavailable, WebChatError
from webchat.models.fetch import Report

log = logging.getLogger(__name__)

LOOKING = "Looking for the model"
LOADING = "Loading the model"
CLOSED = "This model is no longer in use. Send the message again."
Fetch = Callable[[Report, threading.Event], Path]
Start = Callable[[Path], Child]


def _silent(text: str, progress: float | None) -> None:
    pass


class Attempt:
    """One attempt at loading the model, in a thread of its own that starts at once.

    `ready` gives the child, or raises a WebChatError; `status` is the current step, and its progress from 0 to 1.
    """

    def __init__(self, fetch: Fetch, start: Start, report: Report = _silent) -> None:
        """Raises NoThreads."""
        self.status: tuple[str, float | None] = (LOOKING, None)
        self.ready: Future[Child] = Future()
        self._fetch, self._start, self._report = fetch, start, report
        self._cancelled = threading.Event()
        self._child: Child | None = None
        self._child_lock = threading.Lock()
        threads.start(self._run, "embedded model")

    @property
    def has_failed(self) -> bool:
        """Whether this attempt has failed, or its process has ended."""
        if not self.ready.done():
            return False
        return self.ready.exception() is not None or self.ready.result().has_ended()

    @property
    def failure(self) -> str | None:
        error = self.ready.exception() if self.ready.done() else None
        return str(error) if error else None

    def end(self) -> None:
        self._cancelled.set()
        with self._child_lock:
            if self._child:
                self._child.end()

    def _run(self) -> None:
        try:
            self.ready.set_result(self._prepared())
        except WebChatError as error:
            if not self._cancelled.is_set():
                self._report("", None)
                log.warning("%s", error)  # an answer that waits for the model reports it itself
            self.ready.set_exception(error)
        except Exception as error:
            log.exception("the model could not be made ready")
            unforeseen = BackendUnavailable("The embedded model could not be started. The log says why.")
            unforeseen.__cause__ = error
            self.ready.set_exception(unforeseen)

    def _prepared(self) -> Child:
        path = self._fetch(self._tell, self._cancelled)
        self._tell(LOADING, None)
        with self._child_lock:
            if self._cancelled.is_set():
                raise BackendUnavailable(CLOSED)
            self._child = child = self._start(path)
        child.wait_ready()
        self._tell("The model is ready", 1.0)
        return child

    def _tell(self, text: str, progress: float | None) -> None:
        said = (text, None if progress is None else round(progress, 2))
        if said != self.status:
            self.status = said
            self._report(*said)


class Engine:
    """Holds the current attempt: the first message or `start` begins one, the next message after a failure another.

    The model is unloaded after `idle` seconds without use, and loaded again for the next message; 0: never.
    """

    def __init__(self, fetch: Fetch, start: Start, idle: float = 0.0) -> None:
        self._fetch, self._start, self._idle = fetch, start, idle
        self._attempt: Attempt | None = None
        self._closed = False
        self._users = 0
        self._unloading: threading.Timer | None = None
        self._attempt_lock = threading.Lock()

    @property
    def failure(self) -> str | None:
        """Why the last attempt failed, for people; None if it did not."""
        attempt = self._attempt
        return attempt.failure if attempt else None

    def attempt(self, report: Report = _silent) -> Attempt:
        """The attempt that a message waits for. Raises BackendUnavailable when closed, NoThreads."""
        with self._attempt_lock:
            if self._closed:
                raise BackendUnavailable(CLOSED)
            if self._attempt and self._attempt.has_failed:
                self._attempt.end()  # which closes what the process has left open
                self._attempt = None
            if self._attempt is None:
                self._attempt = Attempt(self._fetch, self._start, report)
                self._unload_later()
            return self._attempt

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While this is entered, the model is not unloaded as idle."""
        with self._attempt_lock:
            self._users += 1
        try:
            yield
        finally:
            with self._attempt_lock:
                self._users -= 1
                self._unload_later()

    def close(self) -> None:
        with self._attempt_lock:
            self._closed = True
            attempt = self._attempt
            self._unload_later()
        if attempt:
            attempt.end()

    def _unload_later(self) -> None:
        """Start the idle timer. Called with the lock held."""
        if self._unloading:
            self._unloading.cancel()
            self._unloading = None
        if self._idle and self._attempt and not self._closed:
            self._unloading = threading.Timer(self._idle, self._unload)
            self._unloading.daemon = True
            with suppress(RuntimeError):  # no thread left: it stays loaded until after its next use
                self._unloading.start()

    def _unload(self) -> None:
        with self._attempt_lock:
            attempt = self._attempt
            if self._closed or attempt is None or threading.current_thread() is not self._unloading:
                return
            if self._users or not attempt.ready.done():
                self._unload_later()
                return
            self._attempt = None
        attempt.end()
