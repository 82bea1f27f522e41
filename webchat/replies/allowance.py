"""Limits how much a person may send and store. Counts in the storage, for all processes together. Knows no request."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from webchat.errors import NoRoom, StorageError, TooOften, storing
from webchat.limits import Limits
from webchat.storage.protocols import Storage
from webchat.storage.protocols.documents import RATES

What = Literal["messages", "imports"]
MINUTE = 60.0
NOT_COUNTED = "Your messages could not be counted"
Times = dict[str, dict[str, list[float]]]
"""By person ("" without sign-in) and kind: the times of what they sent in the last minute, in seconds since 1970."""


class Allowance:
    """The limits for each person. Nothing is counted for a limit that is not set.

    A time that is more than a minute from now, in the past or the future, does not count: a server with a wrong clock
    locks nobody out for long.
    """

    def __init__(self, storage: Storage, limits: Limits, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds since 1970."""
        self._storage, self._clock = storage, clock
        self._most: dict[What, int] = {
            "messages": limits.messages_per_minute,
            "imports": limits.imports_per_minute,
        }
        self._kept = limits.kept

    @contextmanager
    def message(self, owner: str | None, size: int) -> Iterator[None]:
        """Count a message of so many bytes, unless the block raises. Raises NoRoom, TooOften, StorageError."""
        self.require_room(owner, size)
        with self.one("messages", owner):
            yield

    @contextmanager
    def one(self, what: What, owner: str | None) -> Iterator[None]:
        """Count one more of these, unless the block raises. Raises TooOften, StorageError."""
        if not self._most[what]:
            yield
            return
        at = self._take(what, owner)
        try:
            yield
        except BaseException:
            with suppress(StorageError):  # the count expires within a minute; the first error is reported
                self._give_back(what, owner, at)
            raise

    def require_message(self, owner: str | None, size: int) -> None:
        """Raises what `message` would; counts nothing."""
        self.require_room(owner, size)
        if self._most["messages"]:
            with storing(NOT_COUNTED):
                times = _times(self._storage.documents.read(self._name(owner)))
            self._require(times, "messages", owner)

    def require_room(self, owner: str | None, more: int) -> None:
        """Raises NoRoom if so many more bytes exceed the limit.

        Messages sent at the same time may exceed it together.
        """
        if self._kept and self._storage.kept_by(owner).bytes + more > self._kept:
            raise NoRoom(self._kept)

    def forget(self, owner: str | None) -> None:
        """Delete this person's counts. Raises StorageError."""
        with storing(NOT_COUNTED), self._storage.documents.changing(self._name(owner)) as draft:
            times = _times(draft.data)
            if times.pop(owner or "", None) is not None:
                draft.data = _dumped(times) if times else None

    def _take(self, what: What, owner: str | None) -> float:
        with storing(NOT_COUNTED), self._storage.documents.changing(self._name(owner)) as draft:
            times = _times(draft.data)
            self._require(times, what, owner)
            now = self._clock()
            recent = {name: {kind: _recent(all_, now) for kind, all_ in kinds.items()} for name, kinds in times.items()}
            recent.setdefault(owner or "", {}).setdefault(what, []).append(now)
            draft.data = _dumped({name: kinds for name, kinds in recent.items() if any(kinds.values())})
        return now

    def _give_back(self, what: What, owner: str | None, at: float) -> None:
        with storing(NOT_COUNTED), self._storage.documents.changing(self._name(owner)) as draft:
            times = _times(draft.data)
            mine = times.get(owner or "", {}).get(what, [])
            if at in mine:
                mine.remove(at)
                draft.data = _dumped(times)

    def _require(self, times: Times, what: What, owner: str | None) -> None:
        """Raises TooOften."""
        most, now = self._most[what], self._clock()
        mine = sorted(_recent(times.get(owner or "", {}).get(what, []), now))
        if len(mine) >= most:
            raise TooOften(most, what, math.ceil(mine[-most] + MINUTE - now))

    def _name(self, owner: str | None) -> str:
        return self._storage.documents.of(RATES, owner)


def _recent(times: list[float], now: float) -> list[float]:
    return [at for at in times if abs(now - at) < MINUTE]


def _times(data: bytes | None) -> Times:
    """The counts; none if they cannot be parsed: they would expire within a minute anyway."""
    try:
        found = {} if data is None else json.loads(data)
        return {
            name: {what: [float(at) for at in times] for what, times in kinds.items()} for name, kinds in found.items()
        }
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _dumped(times: Times) -> bytes:
    return (json.dumps(times, ensure_ascii=False) + "\n").encode()
