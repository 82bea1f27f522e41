"""Measures one reply: its pieces and its times. Knows no text."""

from __future__ import annotations

import time
from collections.abc import Callable


class ReplyMeter:
    """Times are in seconds, from the creation of this object on."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_at = self._looked_at = clock()
        self._waited = 0.0
        self.pieces = 0
        self.first_piece: float | None = None
        """Seconds from the beginning to the first piece; None until then."""

    def count(self) -> bool:
        """Count a piece. Returns whether it is the first."""
        self.pieces += 1
        if self.pieces > 1:
            return False
        self.first_piece = self.seconds
        return True

    @property
    def seconds(self) -> float:
        """How long the reply has taken so far."""
        return self._clock() - self._began_at

    def working_seconds(self, *, is_asking: bool) -> float:
        """The same without the time that the reply waited for the person.

        `is_asking`: it has been waiting since the last call.
        """
        now = self._clock()
        if is_asking:
            self._waited += now - self._looked_at
        self._looked_at = now
        return now - self._began_at - self._waited
