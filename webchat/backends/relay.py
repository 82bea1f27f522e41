"""Passes the pieces that a function produces, in a thread or on the event loop, to their reader. Knows no model."""

from __future__ import annotations

import inspect
import threading
from collections import deque
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import Any

from webchat import threads
from webchat.errors import BackendUnavailable

Asks = Callable[[object], str | None]
"""Returns the id of the question that a piece asks, or None."""
AHEAD = 64
"""Pieces that are buffered until they are read."""
ASKED_BEFORE = "Your function asked two questions with the id {!r}. Each question of an answer needs an id of its own."


class Relay:
    """The pieces that a function returns, to be iterated once.

    The function may return an iterable, an asynchronous iterable, an awaitable, one piece or None. Asynchronous code
    runs on the process's event loop, anything else in a thread of its own. `cancel`, from any thread, ends the
    iteration at once: a task on the loop is cancelled, an iterator is closed in its thread as soon as it yields or
    returns. A generator that yields a question is resumed when `answer` is called, with the choice.
    """

    def __init__(self, asks: Asks = lambda piece: None) -> None:
        self._asks = asks
        self._asked: set[str] = set()
        self._choices: dict[str, str] = {}
        self._arrived: deque[object] = deque()
        self._changed = threading.Condition()
        self._is_over = False
        self._error: BaseException | None = None
        self._cancel: Callable[[], object] | None = None
        self._wake_loop: Callable[[], object] | None = None

    def call(self, function: Callable[[], object]) -> Relay:
        """Call `function` and start to pass on its pieces. Raises NoThreads."""
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            return self.follow(function())
        threads.start(copy_context().run, "agent", self._call, function)
        return self

    def follow(self, upstream: object) -> Relay:
        """Start to pass on the pieces of `upstream`. Raises NoThreads."""
        if not _is_asynchronous(upstream):
            return self.call(lambda: upstream)
        from webchat.backends import event_loop  # asyncio takes a while to load, and is often not needed

        self._on_cancel(event_loop.submit(self._await(upstream)).cancel)
        return self

    def __iter__(self) -> Iterator[object]:
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._arrived or self._is_over)
                    if not self._arrived:
                        break
                    piece = self._arrived.popleft()
                    self._tell_producer()
                yield piece
        finally:
            error = self._error
            self.cancel()
        if error:
            raise error

    def answer(self, question: str, choice: str) -> None:
        """Resume the generator that has asked this. Callable from any thread."""
        with self._changed:
            self._choices[question] = choice
            self._tell_producer()

    def cancel(self) -> None:
        with self._changed:
            self._arrived.clear()
            cancel, self._cancel = self._cancel, None
            self._error = None
            self._is_over = True
            self._tell_producer()
        if cancel:
            cancel()

    def _on_cancel(self, cancel: Callable[[], object]) -> None:
        with self._changed:
            self._cancel = None if self._is_over else cancel
            late = self._is_over
        if late:
            cancel()

    def _end(self, error: BaseException | None = None) -> None:
        with self._changed:
            if not self._is_over:
                self._error, self._is_over = error, True
            self._changed.notify_all()

    def _tell_producer(self) -> None:
        """Wake the producer. Called with the lock held."""
        wake_loop, self._wake_loop = self._wake_loop, None
        self._changed.notify_all()
        if wake_loop:
            wake_loop()

    @contextmanager
    def _ending_with_errors(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:  # any exception, even SystemExit, ends only this answer
            self._end(error)

    def _call(self, function: Callable[[], object]) -> None:
        with self._ending_with_errors():
            upstream = function()
            if _is_asynchronous(upstream):
                self.follow(upstream)
                return
            if hasattr(upstream, "cancel"):
                self._on_cancel(upstream.cancel)
            self._read(upstream)
            self._end()

    def _read(self, upstream: object) -> None:
        pieces = _pieces_of(upstream)
        resume: Any = getattr(pieces, "send", None)
        question = None
        try:
            while question is None or self._wait_for_choice(question):
                piece = next(pieces) if question is None else resume(self._choices.pop(question))
                question = self._question(piece) if resume else None
                if not self._put(piece):
                    return
        except StopIteration:
            pass
        finally:
            if hasattr(pieces, "close"):
                pieces.close()

    def _question(self, piece: object) -> str | None:
        """The id of the question that the piece asks. Raises BackendUnavailable for one that was asked before."""
        question = self._asks(piece)
        if question in self._asked:
            raise BackendUnavailable(ASKED_BEFORE.format(question))
        if question is not None:
            self._asked.add(question)
        return question

    def _wait_for_choice(self, question: str) -> bool:
        """Wait until the question is answered; returns False if nobody reads any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or question in self._choices)
            return not self._is_over

    def _put(self, piece: object) -> bool:
        """Pass a piece on after waiting for room. Returns whether anybody still reads."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or len(self._arrived) < AHEAD)
            return self._add(piece)

    def _add(self, piece: object) -> bool:
        """Called with the lock held."""
        if not self._is_over:
            self._arrived.append(piece)
            self._changed.notify_all()
        return not self._is_over

    async def _await(self, upstream: Any) -> None:  # noqa: ANN401
        with self._ending_with_errors():
            if not hasattr(upstream, "__aiter__"):
                upstream = await upstream
            if not hasattr(upstream, "__aiter__"):
                self.follow(upstream)
                return
            await self._read_on_loop(upstream)
            self._end()

    async def _read_on_loop(self, upstream: AsyncIterable[object]) -> None:
        pieces = aiter(upstream)
        resume: Any = getattr(pieces, "asend", None)
        question = None
        try:
            while question is None or await self._until_on_loop(partial(self._choices.__contains__, question)):
                piece = await (anext(pieces) if question is None else resume(self._choices.pop(question)))
                question = self._question(piece) if resume else None
                if not await self._put_on_loop(piece):
                    return
        except StopAsyncIteration:
            pass
        finally:
            if hasattr(pieces, "aclose"):
                await pieces.aclose()

    async def _put_on_loop(self, piece: object) -> bool:
        """Like `_put`, without blocking the loop."""
        import asyncio

        await self._until_on_loop(lambda: len(self._arrived) < AHEAD)
        with self._changed:
            is_read = self._add(piece)
        await asyncio.sleep(0)  # lets other tasks and a cancellation run: the function may never yield to the loop
        return is_read

    async def _until_on_loop(self, condition: Callable[[], bool]) -> bool:
        """Wait for the condition without blocking the loop; returns False if nobody reads any more."""
        import asyncio

        loop = asyncio.get_running_loop()
        while True:
            with self._changed:
                if self._is_over or condition():
                    return not self._is_over
                woken = asyncio.Event()
                self._wake_loop = lambda woken=woken: loop.call_soon_threadsafe(woken.set)
            await woken.wait()


def _is_asynchronous(upstream: object) -> bool:
    return hasattr(upstream, "__aiter__") or hasattr(upstream, "__await__")


def _pieces_of(upstream: object) -> Iterator[object]:
    """Anything else, even if it is not a valid piece, is passed on as the only piece."""
    if isinstance(upstream, Iterable) and not isinstance(upstream, str | bytes | Mapping):
        return iter(upstream)
    return iter((upstream,))
