"""The messages of each session: typed records in an append-only file. Knows no reply in flight."""

from __future__ import annotations

import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from webchat.chat.message import Message, amendment, extension
from webchat.chat.times import time_of
from webchat.chat.tree import Branch, Tree
from webchat.fileutil import Appended, Folder, Stamp, jsonlines
from webchat.limits import drop_oldest

SUFFIX = ".jsonl"
CACHED_SESSIONS = 64
CACHED_BYTES = 64 * 2**20
"""The limits of the cache of parsed transcripts; the last read one is kept whatever its size."""


def messages_in(data: bytes) -> Iterable[Message]:
    """All messages of a transcript's bytes, also those on branches that are not shown, in the file's order."""
    tree = Tree()
    for end, record in jsonlines.parse(data):
        tree.add(record, f"line-{end}")
    return tree.messages.values()


@dataclass
class _Cached:
    """A transcript as last read. The lock is per session: whoever waits for it needs what is being read."""

    reader: jsonlines.LineReader
    tree: Tree = field(default_factory=Tree)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read_on(self) -> None:
        """Read what is new in the file. Raises OSError."""
        new = self.reader.read_on()
        tree = Tree() if new.afresh else self.tree
        for end, record in new.lines:
            tree.add(record, f"line-{end}")
        tree.torn = self.reader.torn
        self.tree = tree

    def take_own(self, line: bytes, written: Appended) -> None:
        """Take in a line that was just appended; if the transcript is being read, leave that to the next reading."""
        if self.lock.acquire(blocking=False):
            try:
                for end, record in self.reader.take_own(line, written):
                    self.tree.add(record, f"line-{end}")
            finally:
                self.lock.release()


class FileTranscripts:
    """See `webchat.storage.protocols.Transcripts`.

    The files are `<session>.jsonl`, read incrementally.
    """

    is_whole = True

    def __init__(
        self, folder: Folder, cached_sessions: int = CACHED_SESSIONS, cached_bytes: int = CACHED_BYTES
    ) -> None:
        """`cached_sessions` and `cached_bytes` limit the cache, which has at least the last read transcript."""
        self._folder, self._cached_sessions, self._cached_bytes = folder, cached_sessions, cached_bytes
        self._guard = threading.Lock()
        """Guards the cache's table; no file is read while it is held."""
        self._cached: OrderedDict[str, _Cached] = OrderedDict()

    def read(self, session_id: str) -> Branch:
        with self._tree(session_id) as tree:
            return tree.branch()

    @contextmanager
    def _tree(self, session_id: str) -> Iterator[Tree]:
        """The current tree, locked for the block. Readers of other sessions do not wait. Raises OSError."""
        with self._guard:
            cached = self._cached.get(session_id)
            if cached is None:
                cached = self._cached[session_id] = _Cached(jsonlines.LineReader(self._folder, _file(session_id)))
            self._cached.move_to_end(session_id)
        with cached.lock:
            cached.read_on()
            yield cached.tree
        with self._guard:
            drop_oldest(self._cached, lambda each: each.reader.end, self._cached_sessions, self._cached_bytes)

    def leaf_below(self, session_id: str, message_id: str) -> str | None:
        with self._tree(session_id) as tree:
            return tree.leaf_below(message_id)

    def sent_with(self, session_id: str, key: str) -> list[tuple[Message, Message]]:
        with self._tree(session_id) as tree:
            return tree.sent_with(key)

    def messages(self, session_id: str) -> Iterable[Message]:
        return messages_in(self.raw(session_id))

    def select(self, session_id: str, message_id: str) -> None:
        self._append(session_id, {"type": "select", "id": message_id})

    def extend(self, session_id: str, more: Message) -> None:
        self._append(session_id, extension(more))

    def amend(self, session_id: str, new: Message) -> None:
        self._append(session_id, amendment(new))

    def append(self, session_id: str, *messages: Message) -> None:
        self._append(session_id, *(message.record() for message in messages))

    def add_reply(self, session_id: str, message: Message, *, extends: bool) -> None:
        """Add a finished reply, as a message or as more of one. Raises OSError."""
        (self.extend if extends else self.append)(session_id, message)

    def raw(self, session_id: str) -> bytes:
        """The file's bytes; b"" if there is none. Raises OSError."""
        return self._folder.read(_file(session_id)) or b""

    def put_all(self, transcripts: Mapping[str, bytes]) -> None:
        for session_id in transcripts:
            if self.version(session_id) is not None:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), _file(session_id))
        self._folder.replace_all({_file(session_id): data for session_id, data in transcripts.items() if data})

    def remove(self, session_id: str) -> None:
        """Remove the transcript for good. Raises OSError."""
        self._folder.remove(_file(session_id))
        self.drop_cached([session_id])

    def drop_cached(self, session_ids: Collection[str]) -> None:
        """Forget what was read of sessions that are gone."""
        with self._guard:
            for session_id in session_ids:
                self._cached.pop(session_id, None)

    def remove_unfinished(self, session_ids: Collection[str]) -> None:
        """Remove temporary files that a killed writer has left of these transcripts. The caller excludes writers."""
        for name in self._folder.names():
            if name.startswith(".") and name[1:].partition(SUFFIX)[0] in session_ids:
                self._folder.remove(name)

    def _append(self, session_id: str, *records: Mapping[str, Any]) -> None:
        line = b"\n".join(map(jsonlines.dump, records))
        written = self._folder.append_line(_file(session_id), line)
        with self._guard:
            cached = self._cached.get(session_id)
        if cached:
            cached.take_own(line, written)

    def last_written(self, but: Callable[[str], object] = lambda session_id: None) -> dict[str, str]:
        """When each transcript was last written, ISO 8601 in UTC, by session, if `but` returns None for it."""
        stamps = ((name, self.version(name)) for name in self._names() if but(name) is None)
        return {session_id: time_of(stamp.modified_ns / 1e9) for session_id, stamp in stamps if stamp}

    def sessions(self) -> dict[str, Stamp]:
        found = [(name, stamp) for name in self._names() if (stamp := self.version(name))]
        return dict(sorted(found, key=lambda each: each[1].modified_ns))

    def _names(self) -> list[str]:
        return [name.removesuffix(SUFFIX) for name in self._folder.names() if name.endswith(SUFFIX)]

    def state(self) -> object:
        """Differs from an earlier one when files were added or removed; None if unknown."""
        return self._folder.stamp(".")

    def size(self, session_id: str) -> int:
        stamp = self.version(session_id)
        return stamp.size if stamp else 0

    def version(self, session_id: str) -> Stamp | None:
        return self._folder.stamp(_file(session_id))


def _file(session_id: str) -> str:
    return session_id + SUFFIX
