"""Wakes readers: at once for changes of this process, and by one polling thread for those of others."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice

from webchat import threads
from webchat.storage.wakeups import POLL_INTERVAL, Waiter, Wakeups

log = logging.getLogger(__name__)
LOOKS_FOR_ONE = 4
"""Polls for changes for each poll for disconnected readers, which is the most expensive part with many pages."""
NOTIFIED_AT_ONCE = 20
"""Readers that are woken in one poll because the list has changed: waking 2,000 open pages for each message would cost
more than the messages themselves."""
_UNSEEN = object()


@dataclass(frozen=True, eq=False)
class _Reader:
    session_id: str
    owner: str | None
    waiter: Waiter
    gone: Callable[[], bool]


class PollingBus:
    """See `webchat.storage.protocols.Bus`.

    While there are readers, one thread polls for all of them: each sleeps until there is something for it. A reader
    that leaves takes no lock; see `Wakeups`.
    """

    def __init__(
        self, version: Callable[[str | None], object], look: Callable[[Collection[str]], Mapping[str, object]]
    ) -> None:
        """`version` returns the version of one person's list of sessions, `look` those of the given sessions."""
        self._wakeups, self._version, self._look = Wakeups(), version, look
        self.notified_at_once = NOTIFIED_AT_ONCE
        self._stopping = threading.Event()
        self._lists: dict[str | None, object] = {}
        """The last seen version of the list of each person who reads."""
        self.forget_readers()

    def forget_readers(self) -> None:
        """Start without readers and thread: after a fork they belong to the parent."""
        self._guard = threading.Lock()
        self._running = False
        self._joined: deque[_Reader] = deque()
        self._left: deque[_Reader] = deque()
        self._to_notify: dict[_Reader, None] = {}
        """Readers that must still be woken because their list has changed, the longest waiting first."""

    def publish(self, session_id: str, *, urgent: bool) -> None:
        self._wakeups.poke(session_id, urgent=urgent)

    def poke(self, session_id: str) -> None:
        """Wake the readers of the session in this process."""
        self._wakeups.poke(session_id, urgent=False)

    def publish_all(self, *, urgent: bool = True) -> None:
        self._wakeups.poke_all(urgent=urgent)

    def listen(self, session_id: str) -> AbstractContextManager[Waiter]:
        return self._wakeups.listen(session_id)

    def start(self) -> None:
        with self._guard:
            if not self._running:
                threads.start(self._run, "watch")
                self._running = True

    @contextmanager
    def follow(self, session_id: str, owner: str | None, gone: Callable[[], bool]) -> Iterator[Waiter]:
        with self._wakeups.listen(session_id) as waiter:
            reader = _Reader(session_id, owner, waiter, gone)
            self._joined.append(reader)
            try:
                self.start()
                yield waiter
            finally:
                self._left.append(reader)

    def watch_also(self, version: Callable[[str | None], object]) -> None:
        before = self._version
        self._version = lambda owner: (before(owner), version(owner))

    def list_version(self, owner: str | None) -> object:
        if owner not in self._lists:
            self._lists[owner] = self._version(owner)
        return self._lists[owner]

    def close(self) -> None:
        self._stopping.set()
        self._wakeups.poke_all()

    def _run(self) -> None:
        readers: dict[str, set[_Reader]] = {}
        seen: dict[str, object] = {}
        looks = 0
        while not self._stopping.wait(POLL_INTERVAL):
            looks += 1
            self._count(readers, seen)
            with self._guard:
                if not readers and not self._joined:
                    self._running = False
                    return
            if looks % LOOKS_FOR_ONE == 0:
                _wake(reader for reader in _all(readers) if reader.gone())
            try:
                self._tell(readers, seen)
            except Exception:  # each reader gets the error itself
                log.debug("a check for changes failed", exc_info=True)
                self._wakeups.poke_all(urgent=False)
        self._wakeups.poke_all()

    def _count(self, readers: dict[str, set[_Reader]], seen: dict[str, object]) -> None:
        """Add the readers that have joined, then remove those that have left."""
        # In this order: a reader that has left has joined before.
        left = [self._left.popleft() for _ in range(len(self._left))]
        while self._joined:
            reader = self._joined.popleft()
            readers.setdefault(reader.session_id, set()).add(reader)
        for reader in left:
            readers[reader.session_id].discard(reader)
            if not readers[reader.session_id]:
                del readers[reader.session_id]
                seen.pop(reader.session_id, None)

    def _tell(self, readers: Mapping[str, set[_Reader]], seen: dict[str, object]) -> None:
        before = self._lists
        self._lists = {owner: self._version(owner) for owner in {item.owner for item in _all(readers)}}
        changed = {owner for owner, version in self._lists.items() if before.get(owner, _UNSEEN) != version}
        self._to_notify |= dict.fromkeys(item for item in _all(readers) if item.owner in changed)
        notified = [*islice(self._to_notify, self.notified_at_once)]
        for item in notified:
            del self._to_notify[item]
        _wake(notified)
        states = self._look([session_id for session_id in readers if session_id])
        for session_id, group in readers.items():
            state = states.get(session_id)
            if seen.get(session_id, _UNSEEN) != state:
                _wake(group)
            seen[session_id] = state


def _all(readers: Mapping[str, Iterable[_Reader]]) -> Iterator[_Reader]:
    return (reader for group in readers.values() for reader in group)


def _wake(readers: Iterable[_Reader]) -> None:
    for reader in readers:
        reader.waiter.poke(urgent=False)
