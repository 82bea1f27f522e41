"""One answer of the embedded model: waits until the model is loaded, then for its turn, then asks. Knows no session."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from webchat.backends import Event, Piece
from webchat.backends.local.child import DYING, STOPPED, Child
from webchat.backends.local.engine import Engine
from webchat.backends.local.history import Cuts, Messages, fit
from webchat.backends.local.line import Line
from webchat.errors import BackendUnavailable

if TYPE_CHECKING:
    from webchat.backends.openai.patient import PatientStream
    from webchat.backends.openai.stream import OpenAIStream

TICK = 0.25  # seconds: the status is checked at most four times a second

Status = tuple[str, float | None]


class LocalReply:
    """The pieces of one answer, to be iterated once. Raises BackendUnavailable while it is iterated.

    `cancel`, from any thread, gives up the place in the queue at once, or ends the running answer.
    """

    def __init__(self, engine: Engine, line: Line, cuts: Cuts, messages: Messages) -> None:
        self._engine, self._line, self._cuts = engine, line, cuts
        self._messages = messages
        self._moved = threading.Event()
        self._place = self._moved.set  # one object: the queue identifies the answer by it
        self._cancelled = False
        self._upstream: OpenAIStream | PatientStream | None = None
        self._state_lock = threading.Lock()

    def __iter__(self) -> Iterator[Piece]:
        with self._state_lock:
            if self._cancelled:
                return
            self._line.join(self._place)
        try:
            with self._engine.in_use():
                child = yield from self._loaded()
                yield from self._until(self._waiting)
                if child and not self._cancelled:
                    yield from self._answer(child)
        finally:
            self._line.leave(self._place)

    def cancel(self) -> None:
        with self._state_lock:
            self._cancelled = True
            upstream = self._upstream
        self._moved.set()
        if upstream:
            upstream.cancel()
        else:
            self._line.leave(self._place)

    def _loaded(self) -> Generator[Piece, None, Child | None]:
        attempt = self._engine.attempt()
        attempt.ready.add_done_callback(lambda _: self._moved.set())
        yield from self._until(lambda: None if attempt.ready.done() else attempt.status)
        return None if self._cancelled else attempt.ready.result()

    def _waiting(self) -> Status | None:
        before = self._line.before(self._place)
        return (f"Waiting: {before} before you", None) if before else None

    def _until(self, status: Callable[[], Status | None]) -> Iterator[Piece]:
        """Yield each new status, until there is none or the answer is cancelled."""
        said: Status | None = None
        while True:
            self._moved.clear()  # cleared before the check, so that a later change ends the wait
            now = status()
            if self._cancelled or now is None:
                return
            if now != said:
                yield Event("status", *now)
                said = now
            self._moved.wait(TICK)

    def _answer(self, child: Child) -> Iterator[Piece]:
        try:
            fitted = fit(self._messages, child.context, child.count, self._cuts)
            if fitted.note:
                yield Event("note", fitted.note)
            with closing(child.model(fitted.room)) as model:
                upstream = model.stream(fitted.messages)
                with self._state_lock:
                    self._upstream = upstream
                if not self._cancelled:
                    yield from upstream
        except BackendUnavailable as error:
            if child.has_ended(DYING) and not self._cancelled:
                raise BackendUnavailable(STOPPED) from error
            raise
