"""Everything in memory, for one process: what a chat without files uses, and tests. The shape of an engine."""

from __future__ import annotations

import errno
import os
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from webchat.chat.message import Message, extension
from webchat.chat.queued import QueuedMessage
from webchat.chat.reply import ReplyView, is_committed, left_message
from webchat.chat.times import seconds_of
from webchat.chat.tree import Branch, Tree
from webchat.errors import SessionBusy
from webchat.fileutil import Locked, jsonlines
from webchat.storage.polling_bus import PollingBus
from webchat.storage.protocols import Release
from webchat.storage.search import SearchIndex
from webchat.storage.table import Moment, Registry, Rows
from webchat.storage.table_sessions import TableSessions


class MemoryTable:
    """See `Table`."""

    kept_aside: str | None = None

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._registry, self._version = Registry(), 0

    def read(self) -> Registry:
        return self._registry

    def stamp(self) -> object:
        return self._version

    def update(self, change: Callable[[Rows], Rows]) -> Rows:
        with self._lock:
            rows = change(self._registry.rows)
            self._registry, self._version = Registry(rows), self._version + 1
            return rows


class MemoryTouches:
    """See `Touches`."""

    generation = 0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: dict[str, Moment] = {}
        self._moved: list[str] = []
        self.newest = float("-inf")

    def note_all(self, times: Mapping[str, str], what: str) -> None:
        with self._lock:
            for session_id, at in times.items():
                moment = Moment(seconds_of(at), len(self._moved) + 1, at, what == "import")
                if not moment.imported:
                    self.newest = max(self.newest, moment.seconds)
                    moment = moment._replace(seconds=self.newest)
                self._latest[session_id] = max(self._latest.get(session_id, moment), moment)
                self._moved.append(session_id)

    def latest(self, session_id: str) -> Moment | None:
        return self._latest.get(session_id)

    latest_known = latest

    def moved(self, generation: int, since: int) -> tuple[Sequence[str], int]:
        with self._lock:
            return self._moved[since:] if generation == self.generation else (), len(self._moved)

    def stamp(self) -> object:
        return len(self._moved)


class MemoryTranscripts:
    """See `Transcripts`."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._trees: dict[str, Tree] = {}
        self._lines: dict[str, list[bytes]] = {}

    def read(self, session_id: str) -> Branch:
        with self._lock:
            tree = self._trees.get(session_id)
            return tree.branch() if tree else Branch()

    def messages(self, session_id: str) -> Iterable[Message]:
        with self._lock:
            tree = self._trees.get(session_id)
            return list(tree.messages.values()) if tree else ()

    def leaf_below(self, session_id: str, message_id: str) -> str | None:
        with self._lock:
            tree = self._trees.get(session_id)
            return tree.leaf_below(message_id) if tree else None

    def sent_with(self, session_id: str, key: str) -> list[tuple[Message, Message]]:
        with self._lock:
            tree = self._trees.get(session_id)
            return tree.sent_with(key) if tree else []

    def append(self, session_id: str, *messages: Message) -> None:
        self._add(session_id, *(message.record() for message in messages))

    def extend(self, session_id: str, more: Message) -> None:
        self._add(session_id, extension(more))

    def select(self, session_id: str, message_id: str) -> None:
        self._add(session_id, {"type": "select", "id": message_id})

    def put_all(self, transcripts: Mapping[str, bytes]) -> None:
        with self._lock:
            for session_id in transcripts:
                if session_id in self._trees:
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), session_id)
            for session_id, data in ((key, data) for key, data in transcripts.items() if data):
                self._add(session_id, *(record for _, record in jsonlines.parse(data) if record))

    def sessions(self) -> Mapping[str, object]:
        with self._lock:
            return {session_id: tree.revision for session_id, tree in self._trees.items()}

    def version(self, session_id: str) -> object:
        tree = self._trees.get(session_id)
        return tree.revision if tree else None

    def export(self, session_id: str) -> bytes:
        """All records as JSON Lines."""
        with self._lock:
            return b"".join(line + b"\n" for line in self._lines.get(session_id, ()))

    def remove(self, session_id: str) -> None:
        with self._lock:
            self._trees.pop(session_id, None)
            self._lines.pop(session_id, None)

    def _add(self, session_id: str, *records: Mapping[str, Any]) -> None:
        lines = [jsonlines.dump(record) for record in records]
        with self._lock:
            # What was written to last comes last.
            tree = self._trees.pop(session_id) if session_id in self._trees else Tree()
            self._trees[session_id] = tree
            for number, line in enumerate(lines, tree.revision + 1):
                tree.add(jsonlines.parse_line(line), f"line-{number}")
            self._lines.setdefault(session_id, []).extend(lines)


class MemoryReplyLogs:
    """See `ReplyLogs`."""

    def __init__(self, transcripts: MemoryTranscripts) -> None:
        self._transcripts = transcripts
        self._views: dict[str, ReplyView] = {}
        self._versions: dict[str, int] = {}
        self._requests: dict[str, list[Mapping[str, Any]]] = {}

    def begin(self, session_id: str, header: Mapping[str, Any]) -> MemoryReplyLog:
        self._requests.pop(session_id, None)
        view = self._views[session_id] = ReplyView(header)
        self._versions[session_id] = 0
        return MemoryReplyLog(self, session_id, view, self._transcripts)

    def view(self, session_id: str) -> ReplyView | None:
        return self._views.get(session_id)

    def sessions(self) -> Collection[str]:
        return list(self._views)

    def request(self, session_id: str, request: Mapping[str, Any]) -> None:
        self._requests.setdefault(session_id, []).append(request)

    def requests(self, session_id: str) -> Sequence[Mapping[str, Any]]:
        return list(self._requests.get(session_id, ()))

    def settle(self, session_id: str, unsaved: ReplyView | None = None) -> None:
        view, branch = self._views.get(session_id), self._transcripts.read(session_id)
        if unsaved and (view is None or view.id == unsaved.id):
            view = unsaved
        if view is not None and not is_committed(view, branch.messages):
            left = left_message(view, branch.messages)
            left = replace(left, error=None) if view is unsaved else left
            (self._transcripts.append if view.extends is None else self._transcripts.extend)(session_id, left)
        self.remove(session_id)

    def version(self, session_id: str) -> object:
        return self._versions.get(session_id)

    def wrote(self, session_id: str) -> None:
        """Note that a log has changed."""
        self._versions[session_id] += 1

    def remove(self, session_id: str) -> None:
        for table in (self._views, self._versions, self._requests):
            table.pop(session_id, None)


class MemoryReplyLog:
    """See `ReplyLog`."""

    def __init__(self, logs: MemoryReplyLogs, session_id: str, view: ReplyView, transcripts: MemoryTranscripts) -> None:
        self._logs, self._session_id, self._view, self._transcripts = logs, session_id, view, transcripts

    def write(self, *records: Mapping[str, Any]) -> None:
        for record in records:
            self._view.take(record)
        self._logs.wrote(self._session_id)

    def commit(self, message: Message, *, extends: bool) -> None:
        (self._transcripts.extend if extends else self._transcripts.append)(self._session_id, message)
        self.discard()

    def discard(self) -> None:
        self._logs.remove(self._session_id)

    def leave(self) -> None:
        """Nothing is held."""


class MemoryQueue:
    """See `Queue`."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._items: dict[str, tuple[QueuedMessage, ...]] = {}
        self._versions: Counter[str] = Counter()

    def items(self, session_id: str) -> tuple[QueuedMessage, ...]:
        return self._items.get(session_id, ())

    @contextmanager
    def changing(self, session_id: str) -> Iterator[list[QueuedMessage]]:
        with self._lock:
            items = [*self.items(session_id)]
            yield items
            self._versions[session_id] += 1
            self._items[session_id] = tuple(items)
            if not items:
                self.remove(session_id)

    def sessions(self) -> Collection[str]:
        return list(self._items)

    def version(self, session_id: str) -> object:
        return self._versions[session_id] if session_id in self._items else None

    def remove(self, session_id: str) -> None:
        self._items.pop(session_id, None)


class MemoryLeases:
    """See `Leases`."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def acquire(self, session_id: str) -> Release:
        with self._guard:
            lock = self._locks.setdefault(session_id, threading.Lock())
        if not lock.acquire(timeout=1.0):
            raise SessionBusy
        return lock.release

    def is_held(self, session_id: str) -> bool:
        lock = self._locks.get(session_id)
        return lock is not None and lock.locked()


class MemoryStorage:
    """See `webchat.storage.protocols.Storage`. Nothing outlives the object."""

    def __init__(self) -> None:
        self.sessions = TableSessions(MemoryTable(), MemoryTouches())
        self.transcripts, self.leases = MemoryTranscripts(), MemoryLeases()
        self.replies, self.queue = MemoryReplyLogs(self.transcripts), MemoryQueue()
        self.bus = PollingBus(self.sessions.version, self._states)
        self.search = SearchIndex(self.transcripts)
        self._purging, self._importing = threading.Lock(), threading.Lock()

    def has(self, session_id: str) -> bool:
        return self.transcripts.version(session_id) is not None or self.replies.version(session_id) is not None

    def export(self, session_id: str) -> bytes:
        data, view = self.transcripts.export(session_id), self.replies.view(session_id)
        branch = self.transcripts.read(session_id)
        if view is None or is_committed(view, branch.messages):
            return data
        message = left_message(view, branch.messages)
        return data + jsonlines.dump(message.record() if view.extends is None else extension(message)) + b"\n"

    def discard(self, session_ids: Collection[str]) -> list[str]:
        for session_id in session_ids:
            self._remove(session_id)
        return list(session_ids)

    def purge(self, session_ids: Collection[str], forget: Callable[[], None]) -> None:
        with self._purging:
            releases: list[Release] = []
            try:
                for session_id in session_ids:
                    releases.append(self.leases.acquire(session_id))
                forget()
                for session_id in session_ids:
                    self._remove(session_id)
            finally:
                for release in releases:
                    release()

    @contextmanager
    def without_purges(self) -> Iterator[None]:
        with self._purging:
            yield

    @contextmanager
    def importing(self, patience: float) -> Iterator[None]:
        if not self._importing.acquire(timeout=patience):
            raise Locked("import")
        try:
            yield
        finally:
            self._importing.release()

    def is_importing(self) -> bool:
        return self._importing.locked()

    def recover(self) -> None:
        """Nothing survives a crash."""

    def adopt(self) -> list[str]:
        return []

    def free(self) -> int | None:
        return None

    def probe(self) -> None:
        """Memory can always be written."""

    def _remove(self, session_id: str) -> None:
        for kind in (self.queue, self.replies, self.transcripts):
            kind.remove(session_id)

    def _states(self, session_ids: Collection[str]) -> dict[str, object]:
        kinds = (self.transcripts, self.replies, self.queue)
        return {key: tuple(kind.version(key) for kind in kinds) for key in session_ids}
