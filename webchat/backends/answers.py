"""One answer of a model: its pieces, how it is cancelled, and what is kept of it. Knows no session."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from webchat.backends import Piece


class ChatAnswer:
    """The pieces of one answer, to be iterated once; `cancel` ends it from any thread.

    What came is kept when the answer ends, is cancelled or is no longer iterated; a failed one leaves nothing behind.
    """

    def __init__(self, ask: Callable[[], Iterable[Piece]], keep: Callable[[str], None]) -> None:
        self._ask = ask
        self._keep = keep
        self._upstream: Iterable[Piece] = ()
        self._cancelled = False
        self._state_lock = threading.Lock()

    def __iter__(self) -> Iterator[Piece]:
        said: list[str] = []
        try:
            with _closing(self._pieces()) as pieces:
                for piece in pieces:
                    if isinstance(piece, str):
                        said.append(piece)
                    yield piece
        except GeneratorExit:
            self.cancel()
            self._keep("".join(said))
            raise
        self._keep("".join(said))

    def cancel(self) -> None:
        with self._state_lock:
            self._cancelled = True
            upstream, self._upstream = self._upstream, ()
        _cancel(upstream)

    def _pieces(self) -> Iterator[Piece]:
        """The model's pieces up to the end or to `cancel`; what the model raises because of that is no failure."""
        try:
            if self._cancelled:
                return
            upstream = self._ask()
            self._follow(upstream)
            with _closing(iter(upstream)) as pieces:
                for piece in pieces:
                    if self._cancelled:
                        return
                    yield piece
        except Exception:
            if not self._cancelled:
                raise

    def _follow(self, upstream: Iterable[Piece]) -> None:
        with self._state_lock:
            self._upstream = upstream
            cancelled = self._cancelled
        if cancelled:
            _cancel(upstream)


@contextmanager
def _closing(pieces: Iterator[Piece]) -> Iterator[Iterator[Piece]]:
    try:
        yield pieces
    finally:
        if hasattr(pieces, "close"):
            pieces.close()


def _cancel(upstream: Iterable[Piece]) -> None:
    if hasattr(upstream, "cancel"):
        upstream.cancel()
