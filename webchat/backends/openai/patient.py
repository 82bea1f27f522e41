"""The pieces of an agent's answer, which may be silent for long, with a status during the silence."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from webchat import threads
from webchat.backends import Event, Piece

if TYPE_CHECKING:
    from webchat.backends.openai.stream import OpenAIStream

AT_WORK = Event("status", "Still at work")
AHEAD = 64
"""Pieces that are buffered until they are taken."""
LOOKS = 0.5
"""Seconds after which a thread that waits for room checks whether anybody still reads."""


def is_agent(model: str) -> bool:
    """Whether a model of that name is an agent, whose tool calls are not shown and whose turns are expensive."""
    return model == "amplifier" or model.startswith("agent")


class PatientStream:
    """The pieces of `stream`, to be iterated once. `cancel` ends it at once, from any thread."""

    def __init__(self, stream: OpenAIStream, works: Callable[[], bool], quiet: float) -> None:
        """`works` says whether the silent model is an agent: its name may be known only after it has been asked.

        After `quiet` seconds of silence, the status says that the agent is at work.
        """
        self._stream, self._works, self._quiet = stream, works, quiet
        self._arrived: queue.Queue[Piece | Exception | None] = queue.Queue(AHEAD)
        self._is_left = threading.Event()

    def __iter__(self) -> Iterator[Piece]:
        threads.start(self._read, "agent-answer")
        try:
            yield from self._pieces()
        finally:
            self._is_left.set()
            self._stream.cancel()

    def cancel(self) -> None:
        self._stream.cancel()

    def _pieces(self) -> Iterator[Piece]:
        is_said = False
        while True:
            try:
                piece = self._arrived.get(timeout=None if is_said else self._quiet)
            except queue.Empty:
                is_said = True
                if self._works():
                    yield AT_WORK
                continue
            if piece is None:
                return
            if isinstance(piece, Exception):
                raise piece
            is_said = False
            yield piece

    def _read(self) -> None:
        try:
            for piece in self._stream:
                self._put(piece)
        except Exception as error:
            self._put(error)
        self._put(None)

    def _put(self, piece: Piece | Exception | None) -> None:
        """Wait for room, until nobody reads any more."""
        while not self._is_left.is_set():
            with suppress(queue.Full):
                self._arrived.put(piece, timeout=LOOKS)
                return
