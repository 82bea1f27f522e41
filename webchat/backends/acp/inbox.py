"""A buffer for an agent's unread pieces. Knows no agent."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from webchat.backends import Event, Piece
from webchat.backends.acp.bounds import Bounds
from webchat.chat.parts import Placed

MOST_WAITING = 100_000
"""Pieces that nobody has read yet."""


class Overflow(Exception):
    """The buffer is full."""


@dataclass(slots=True)
class _Waiting:
    piece: Piece
    texts: list[str] = field(default_factory=list)

    @property
    def whole(self) -> Piece:
        text = "".join(self.texts)
        if isinstance(self.piece, str):
            return text
        return Event(self.piece.kind, text) if isinstance(self.piece, Event) and self.texts else self.piece


class Inbox:
    """A queue of pieces for one reader. `put` never waits: text is joined to unread text before it, and a part replaces
    its earlier version if that is still unread.
    """

    def __init__(self, most_unread: int = Bounds.most_unread, most_waiting: int = MOST_WAITING) -> None:
        self._most_unread, self._most_waiting = most_unread, most_waiting
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._places: dict[tuple[type, str], _Waiting] = {}
        self._unread = 0
        self.is_closed = False

    def put(self, piece: Piece) -> None:
        """Raises Overflow."""
        with self._changed:
            if self.is_closed:
                return
            if isinstance(piece, str) or (isinstance(piece, Event) and piece.kind == "reasoning"):
                self._put_text(piece, piece if isinstance(piece, str) else piece.text)
            elif isinstance(piece, Event):
                self._put_event(piece)
            elif waiting := self._places.get(place := _place_of(piece)):
                waiting.piece = piece
            else:
                self._places[place] = _Waiting(piece)
                self._waiting.append(self._places[place])
            self._changed.notify_all()
            if len(self._waiting) > self._most_waiting:
                raise Overflow

    def _put_event(self, event: Event) -> None:
        last = self._waiting[-1].piece if self._waiting else None
        if isinstance(last, Event) and last.kind == event.kind == "status":
            self._waiting.pop()
        self._waiting.append(_Waiting(event))

    def _put_text(self, piece: str | Event, text: str) -> None:
        self._unread += len(text)
        if self._unread > self._most_unread:
            raise Overflow
        last = self._waiting[-1].piece if self._waiting else None
        same = isinstance(last, str) if isinstance(piece, str) else isinstance(last, Event) and last.kind == piece.kind
        if not same:
            self._waiting.append(_Waiting(piece))
        self._waiting[-1].texts.append(text)

    def get(self) -> Piece | None:
        """The next piece; waits for one. None if the inbox is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self.is_closed)
            if not self._waiting:
                return None
            waiting = self._waiting.popleft()
            self._unread -= sum(map(len, waiting.texts))
            if not isinstance(waiting.piece, str | Event):
                self._places.pop(_place_of(waiting.piece), None)
            return waiting.whole

    def wait_for(self, future: Future[Any], seconds: float | None) -> bool:
        """Wait until the future is done, `seconds` have passed or this is closed. Returns whether the future is
        done."""
        future.add_done_callback(self._poke)
        with self._changed:
            self._changed.wait_for(lambda: future.done() or self.is_closed, seconds)
        return future.done()

    def pause(self, seconds: float) -> None:
        """Wait for so many seconds, or until this is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self.is_closed, seconds)

    def close(self, *, drop: bool = False) -> None:
        """Accept nothing more; with `drop`, discard unread pieces too."""
        with self._changed:
            self.is_closed = True
            if drop:
                self._waiting.clear()
                self._places.clear()
            self._changed.notify_all()

    def _poke(self, _future: Future[Any]) -> None:
        with self._changed:
            self._changed.notify_all()


def _place_of(part: Placed) -> tuple[type, str]:
    """The key of the part of which this is a version."""
    return type(part), getattr(part, "id", "")
