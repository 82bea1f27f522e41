"""Decides whether and when a request that a model server has refused is sent again. Knows no network."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from webchat.backends import refusals

TRIES = 4
"""Retries at a busy server."""
PATIENCE = 60.0
"""Seconds that a busy server may make us wait, all waits of one answer together."""
LOADING_PATIENCE = 600.0
"""The same for a server that is loading its model."""
LONGEST_WAIT = 15.0
"""Seconds between two retries while the server is loading its model."""
BUSY = "{} is limiting requests"
LOADING = "{} is loading its model"
_IS_LOADING = re.compile(
    r"\bload(?:ing|s)?\b.{0,40}\bmodel|\bmodel\b.{0,40}\bload(?:ing|s)\b", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True)
class Wait:
    """Wait for `seconds` before the next try; `reason` has {} in place of the server's name."""

    seconds: int
    reason: str


class Retries:
    """The retries of one answer. Waits grow even if the server asks for less, and their sum is limited."""

    def __init__(self) -> None:
        self._count = 0
        self._waited = 0.0

    def after(self, status: int, headers: Mapping[str, str], said: str) -> Wait | None:
        """How long to wait after this refusal; None to give up."""
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
    """Whether a server is still loading its model: llama.cpp then answers 503 without Retry-After."""
    return status == 503 and bool(_IS_LOADING.search(said))
