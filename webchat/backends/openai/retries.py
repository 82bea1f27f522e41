"""Whether and when a question that a server has refused is asked again. Knows no network."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from webchat.backends import refusals

TRIES = 4
"""Times that a server which is too busy is asked again."""
PATIENCE = 60.0
"""Seconds that it may ask us to wait, all waits of one answer together."""
LOADING_PATIENCE = 600.0
"""The same while it loads its model."""
LONGEST_WAIT = 15.0
"""Seconds between two looks whether it has loaded it."""
BUSY = "{} takes no more questions for now"
LOADING = "{} is loading its model"
_IS_LOADING = re.compile(
    r"\bload(?:ing|s)?\b.{0,40}\bmodel|\bmodel\b.{0,40}\bload(?:ing|s)\b", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True)
class Wait:
    """So many seconds until the next try, and the reason, with {} for the server."""

    seconds: int
    reason: str


class Retries:
    """The tries of one answer. Waits grow, whatever the server asks for, and end."""

    def __init__(self) -> None:
        self._count = 0
        self._waited = 0.0

    def after(self, status: int, headers: Mapping[str, str], said: str) -> Wait | None:
        """How long to wait after this refusal; None if asking again would be of no use, or has been of none."""
        if refusals.is_used_up(status, said) or headers.get("x-should-retry", "").lower() == "false":
            return None
        if is_loading(status, said):
            return self._wait(min(2.0**self._count, LONGEST_WAIT), LOADING, LOADING_PATIENCE)
        asked = refusals.retry_after(headers) if status in (429, 503) else None
        if asked is None or self._count >= TRIES:
            return None
        return self._wait(max(asked, 2.0**self._count), BUSY, PATIENCE)

    def _wait(self, seconds: float, reason: str, patience: float) -> Wait | None:
        if self._waited + seconds > patience:
            return None
        self._waited += seconds
        self._count += 1
        return Wait(math.ceil(seconds), reason)


def is_loading(status: int, said: str) -> bool:
    """Whether a server is just loading its model: llama.cpp answers 503 then, without a time."""
    return status == 503 and bool(_IS_LOADING.search(said))
