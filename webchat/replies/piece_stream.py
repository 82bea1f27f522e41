"""Reads the pieces of one answer from the backend until it is stopped. Knows no reader."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from webchat.backends import Piece
from webchat.replies.backend_errors import backend_errors, raise_as_ours

log = logging.getLogger("webchat.reply")
_END: Any = object()


class PieceStream:
    """Read by one thread, stopped by any. Once stopped, a second `read` yields nothing either."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._cancel: Callable[[], object] | None = None
        self.stopped_as: str | None = None
        """The status of the first stop; None if there was none."""

    def stop(self, status: str) -> None:
        """Yield nothing more, and cancel the answer at the backend."""
        with self._guard:
            self.stopped_as = self.stopped_as or status
        self.hang_up()

    def hang_up(self) -> None:
        """Cancel the answer at the backend."""
        with self._guard:
            cancel, self._cancel = self._cancel, None
        quietly(cancel)

    def read(self, pieces: Iterable[Piece]) -> Generator[Piece]:
        """The pieces until the end or a stop. Errors are converted by `backend_errors`."""
        with backend_errors():
            iterator = iter(pieces)
        self._on_stop(getattr(pieces, "cancel", None) or getattr(iterator, "cancel", None))
        try:
            yield from self._until_stopped(iterator)
        finally:
            self._on_stop(None)
            quietly(getattr(iterator, "close", None))

    def _until_stopped(self, iterator: Iterator[Piece]) -> Generator[Piece]:
        while not self.stopped_as:
            try:  # not within `backend_errors`, which would cost as much as the piece itself
                piece = next(iterator, _END)
            except Exception as error:
                if self.stopped_as:  # the stop has closed the connection
                    return
                raise_as_ours(error)
            if piece is _END:
                return
            yield piece

    def _on_stop(self, cancel: Callable[[], object] | None) -> None:
        with self._guard:
            late = self.stopped_as is not None
            self._cancel = None if late else cancel
        if late:
            quietly(cancel)


def quietly(call: Callable[[], object] | None) -> None:
    """Call a backend's `cancel` or `close`; its failure is only logged."""
    if call is None:
        return
    try:
        call()
    except Exception:
        log.warning("the backend failed while its answer was being closed", exc_info=True)
