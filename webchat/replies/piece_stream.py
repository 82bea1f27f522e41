"""The pieces of one answer on their way from the backend, and how that is ended. Knows nobody who reads them."""

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
    """Read by one thread, stopped by any. A stop counts for all that is read from then on, too."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._cancel: Callable[[], object] | None = None
        self.stopped_as: str | None = None
        """The status with which it was stopped first."""

    def stop(self, status: str) -> None:
        """Let nothing more come, and end the answer at the backend."""
        with self._guard:
            self.stopped_as = self.stopped_as or status
        self.hang_up()

    def hang_up(self) -> None:
        """End the answer at the backend."""
        with self._guard:
            cancel, self._cancel = self._cancel, None
        quietly(cancel)

    def read(self, pieces: Iterable[Piece]) -> Generator[Piece]:
        """The pieces that come until the end or a stop. Raises what `backend_errors` makes of a failure."""
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
            try:  # without `backend_errors`, which would cost as much as a piece
                piece = next(iterator, _END)
            except Exception as error:
                if self.stopped_as:  # a connection that a stop has closed is no failure
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
    """Call what ends an answer at the backend; its failure goes to the log alone."""
    if call is None:
        return
    try:
        call()
    except Exception:
        log.warning("the backend failed while its answer was ended", exc_info=True)
