"""Checks whether the chat can accept a message now, and if not, why, in sentences that anybody may read.

Knows no page.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from time import monotonic

from webchat import threads
from webchat.errors import NoThreads, StorageAway, StorageError
from webchat.manager import WebChatSessionManager

log = logging.getLogger(__name__)
KEPT = 5.0
"""Seconds for which a result is cached."""
PATIENCE = 2.0
"""Seconds that a probe waits for a result."""
STALE = 30.0
"""Seconds for which the last result is used if a new one is late: a slow check may pass, a hanging one has failed."""


class Health:
    """The readiness of one chat, for load balancers and supervisors."""

    def __init__(
        self, manager: WebChatSessionManager, clock: Callable[[], float] = monotonic, patience: float = PATIENCE
    ) -> None:
        self._manager, self._patience = manager, patience
        looks = {"store": lambda: _why_no_writing(manager), "backend": manager.check_backend}
        self._checks = {name: _Check(look, clock) for name, look in looks.items()}

    def reasons(self) -> Mapping[str, str | None]:
        """By name ("server", "store", "backend"): what is wrong, or None; within `patience` seconds."""
        closing = "The server is shutting down." if self._manager.is_closing else None
        for check in self._checks.values():
            check.begin()
        end = monotonic() + self._patience
        return {"server": closing} | {name: check.reason(end - monotonic()) for name, check in self._checks.items()}


class _Check:
    """One check, run at most every few seconds, in a thread of its own, so that a hanging check blocks nobody."""

    def __init__(self, look: Callable[[], str | None], clock: Callable[[], float]) -> None:
        self._look, self._clock = look, clock
        self._guard = threading.Lock()
        self._last: tuple[float, str | None] = (float("-inf"), None)
        """The last result, and when it was obtained."""
        self._idle = threading.Event()
        self._idle.set()

    def begin(self) -> None:
        """Run the check, unless it is running or has just run."""
        with self._guard:
            if self._idle.is_set() and self._clock() - self._last[0] > KEPT:
                self._idle.clear()
                try:
                    threads.start(self._ask, "health")
                except NoThreads:  # the next probe retries
                    self._last = self._clock(), "There are too many threads."
                    self._idle.set()

    def reason(self, patience: float) -> str | None:
        """The reason for a failure, or None."""
        in_time = self._idle.wait(max(0.0, patience))
        answered_at, reason = self._last
        late = not in_time and self._clock() - answered_at > STALE
        return "It did not respond in time." if late else reason

    def _ask(self) -> None:
        try:
            reason = self._look()
        except Exception:
            log.exception("a check failed")
            reason = "The check itself failed; the log says why."
        self._last = self._clock(), reason
        self._idle.set()


def _why_no_writing(manager: WebChatSessionManager) -> str | None:
    try:
        manager.probe()
    except StorageError:
        return "Too little disk space is free."
    except StorageAway as error:
        return f"It cannot be used now: {error}."
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else "it sent an invalid response"
        return f"The disk cannot be written: {why}."
    return None
