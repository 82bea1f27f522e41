"""Transcripts, replies in flight and queued messages, in memory. Knows no session's record."""

from __future__ import annotations

import errno
import os
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from webchat.chat.message import Message, amendment, extension
from webchat.chat.queued import QueuedMessage
from webchat.chat.reply import ReplyView, left_behind
from webchat.chat.tree import Branch, Tree
from webchat.fileutil import jsonlines


class MemoryTranscripts:
    """See `Transcripts`."""

    is_whole = True

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._trees: dict[str, Tree] = {}
        self._lines: dict[str, list[bytes]] = {}
        self._sizes: Counter[str] = Counter()

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

    def amend(self, session_id: str, new: Message) -> None:
        self._add(session_id, amendment(new))

    def add_reply(self, session_id: str, message: Message, *, extends: bool) -> None:
        """Add a finished reply, as a message or as more of one."""
        (self.extend if extends else self.append)(session_id, message)

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

    def size(self, session_id: str) -> int:
        return self._sizes[session_id]

    def taken(self) -> int:
        """The total size in bytes."""
        with self._lock:
            return self._sizes.total()

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
            del self._sizes[session_id]

    def _add(self, session_id: str, *records: Mapping[str, Any]) -> None:
        lines = [jsonlines.dump(record) for record in records]
        with self._lock:
            # The most recently written one comes last.
            tree = self._trees.pop(session_id) if session_id in self._trees else Tree()
            self._trees[session_id] = tree
            for number, line in enumerate(lines, tree.revision + 1):
                tree.add(jsonlines.parse_line(line), f"line-{number}")
            self._lines.setdefault(session_id, []).extend(lines)
            self._sizes[session_id] += sum(len(line) + 1 for line in lines)


class MemoryReplyLogs:
    """See `ReplyLogs`."""

    shares_writes = False

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

    def asked(self, session_ids: Collection[str]) -> Collection[str]:
        return [session_id for session_id in session_ids if session_id in self._requests]

    def settle(self, session_id: str, unsaved: ReplyView | None = None) -> None:
        view, branch = self._views.get(session_id), self._transcripts.read(session_id)
        left = left_behind(view, unsaved, branch.messages)
        if left:
            self._transcripts.add_reply(session_id, left[0], extends=left[1])
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
        self._transcripts.add_reply(self._session_id, message, extends=extends)
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
        self._sizes: dict[str, int] = {}
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
            self._sizes[session_id] = sum(item.text_size for item in items)
            if not items:
                self.remove(session_id)

    def sessions(self) -> Collection[str]:
        return list(self._items)

    def taken(self) -> int:
        """The total size in bytes, without pictures."""
        return sum(list(self._sizes.values()))

    def version(self, session_id: str) -> object:
        return self._versions[session_id] if session_id in self._items else None

    def states(self) -> dict[str, object]:
        """The version of each queue."""
        return {session_id: self.version(session_id) for session_id in self.sessions()}

    def size(self, session_id: str) -> int:
        """Bytes of the queue, without pictures."""
        return self._sizes.get(session_id, 0)

    def remove(self, session_id: str) -> None:
        self._items.pop(session_id, None)
        self._sizes.pop(session_id, None)
