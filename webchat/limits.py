"""How much one chat takes on. Knows no file, no session and no setting."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from webchat.errors import TooBusy

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """The most of each; 0 means that there is none.

    message, title: characters. sessions: of one person, without the trash. replies: written at once by this process,
    in all and for each client. answer_time: seconds that one answer may take. free_disk: bytes that must be left on
    the disk for anything new to be written.
    """

    message: int = 1_048_576
    title: int = 300
    sessions: int = 100_000
    replies: int = 250
    replies_per_client: int = 100
    answer_time: float = 3600.0
    free_disk: int = 100 * MIB


class Places:
    """The answers that may be written at once, in all and for each client."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._guard = threading.Lock()
        self._all = 0
        self._of: Counter[str] = Counter()

    def take(self, client: str | None) -> Callable[[], None]:
        """Take a place; gives what gives it back. `client` None counts in all only. Raises TooBusy."""
        with self._guard:
            if 0 < self._limits.replies <= self._all:
                raise TooBusy
            if client is not None and 0 < self._limits.replies_per_client <= self._of[client]:
                raise TooBusy("Too many of your messages are being answered right now. Wait for one, then send again.")
            self._all += 1
            if client is not None:
                self._of[client] += 1
        return partial(self._give, client)

    def _give(self, client: str | None) -> None:
        with self._guard:
            self._all -= 1
            if client is not None:
                self._of[client] -= 1
                self._of += Counter()  # which drops what is at 0
