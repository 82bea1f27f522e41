"""The protocols of a storage engine for several processes: leases, and a bus that wakes readers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from webchat.storage.wakeups import Waiter

Release = Callable[[], None]


class Leases(Protocol):
    """Locks on sessions: one writer at a time, across processes. A lease ends with its process."""

    def acquire(self, session_id: str) -> Release:
        """Acquire it; returns the function that releases it, from any thread. Raises SessionBusy."""

    def is_held(self, session_id: str) -> bool:
        """Whether anybody, in any process, holds it."""


class Bus(Protocol):
    """Wakes readers: at once for changes of this process, within `POLL_INTERVAL` for those of others."""

    def publish(self, session_id: str, *, urgent: bool) -> None:
        """Something changed in this session; readers do not delay what is `urgent`."""

    def publish_all(self, *, urgent: bool = True) -> None:
        """Wake all readers, for a shutdown for example."""

    def listen(self, session_id: str) -> AbstractContextManager[Waiter]:
        """A waiter that is woken by what this process publishes about the session."""

    def follow(self, session_id: str, owner: str | None, gone: Callable[[], bool]) -> AbstractContextManager[Waiter]:
        """A waiter that is woken by any change of the session or the owner's list, and when `gone()` says so.

        Without a session ("") it is woken by changes of the list alone. Raises NoThreads.
        """

    def start(self) -> None:
        """Make sure that `follow` will work. Raises NoThreads."""

    def watch_also(self, version: Callable[[str | None], object]) -> None:
        """Combine this version with that of each person's list: for sessions that are stored elsewhere."""

    def list_version(self, owner: str | None) -> object:
        """The last known version of this person's list of sessions."""

    def close(self) -> None:
        """Wake everybody, for good."""
