"""Passes the pieces that a function produces, in a thread or on the event loop, to their reader. Knows no model."""

from __future__ import annotations

import inspect
import threading
from collections import deque
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

from webchat import threads

AHEAD = 64
"""Pieces that are buffered until they are read."""


class Relay:
    """The pieces that a function returns, to be iterated once.

    The function may return an iterable, an asynchronous iterable, an awaitable, one piece or None. Asynchronous code
    runs on the process's event loop, anything else in a thread of its own. `cancel`, from any thread, ends the
    iteration at once: a task on the loop is cancelled, an iterator is closed in its thread as soon as it yields or
    returns.
    """

    def __init__(self) -> None:
        self._arrived: deque[object] = deque()
        self._changed = threading.Condition()
        self._is_over = False
        self._error: BaseException | None = None
        self._cancel: Callable[[], object] | None = None
        self._make_room: Callable[[], object] | None = None

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
                    self._tell_of_room()
                yield piece
        finally:
            error = self._error
            self.cancel()
        if error:
            raise error

    def cancel(self) -> None:
        with self._changed:
            self._arrived.clear()
            cancel, self._cancel = self._cancel, None
            self._error = None
            self._is_over = True
            self._tell_of_room()
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

    def _tell_of_room(self) -> None:
        """Wake the producer. Called with the lock held."""
        make_room, self._make_room = self._make_room, None
        self._changed.notify_all()
        if make_room:
            make_room()

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
        try:
            for piece in pieces:
                if not self._put(piece):
                    return
        finally:
            if hasattr(pieces, "close"):
                pieces.close()

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
        try:
            async for piece in pieces:
                if not await self._put_on_loop(piece):
                    return
        finally:
            if hasattr(pieces, "aclose"):
                await pieces.aclose()

    async def _put_on_loop(self, piece: object) -> bool:
        """Like `_put`, without blocking the loop."""
        import asyncio

        loop = asyncio.get_running_loop()
        while True:
            with self._changed:
                if self._is_over or len(self._arrived) < AHEAD:
                    is_read = self._add(piece)
                    break
                room = asyncio.Event()
                self._make_room = lambda room=room: loop.call_soon_threadsafe(room.set)
            await room.wait()
        await asyncio.sleep(0)  # lets other tasks and a cancellation run: the function may never yield to the loop
        return is_read


def _is_asynchronous(upstream: object) -> bool:
    return hasattr(upstream, "__aiter__") or hasattr(upstream, "__await__")


def _pieces_of(upstream: object) -> Iterator[object]:
    """Anything else, even if it is not a valid piece, is passed on as the only piece."""
    if isinstance(upstream, Iterable) and not isinstance(upstream, str | bytes | Mapping):
        return iter(upstream)
    return iter((upstream,))
