"""The messages of sessions in PostgreSQL, as append-only lines. Knows no reply in flight."""

from __future__ import annotations

import errno
import io
import os
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import LiteralString

import psycopg
from psycopg import Connection

from webchat.chat.folding import folded
from webchat.chat.message import Message, amendment, extension
from webchat.chat.tree import Branch, Tree
from webchat.errors import LeaseLost
from webchat.fileutil import jsonlines
from webchat.limits import drop_oldest
from webchat.storage.postgres.adding import ADD_AND_END, ADD_IF_LEASED, ADD_OR_BEGIN
from webchat.storage.postgres.database import Database, text
from webchat.storage.postgres.leases import PostgresLeases

CACHED_SESSIONS = 64
CACHED_BYTES = 64 * 2**20
"""The limit of the cache of parsed transcripts; the last read one is kept whatever its size."""
LINES_AT_ONCE, BYTES_AT_ONCE = 2_000, 2**20
"""Lines, and bytes of them, that an import writes with one statement."""
INDEXED_AT_ONCE = 200
"""Messages that it indexes at a time."""
_READ: LiteralString = """
SELECT c.incarnation, l.number, l.line FROM webchat.conversations AS c
LEFT JOIN webchat.lines AS l ON l.session_id = c.session_id AND l.number > %s
WHERE c.session_id = %s ORDER BY l.number
"""
_INDEX: LiteralString = """
INSERT INTO webchat.words AS known (session_id, message_id, number, words) VALUES (%s, %s, %s, %s)
ON CONFLICT (session_id, message_id) DO UPDATE SET words = excluded.words, extended = true
"""

_NOTE_TORN: LiteralString = "UPDATE webchat.conversations SET torn = lines WHERE session_id = %s"


@dataclass
class _Cached:
    """A transcript as last read. The lock is per session: whoever waits for it needs what is being read."""

    incarnation: int = 0
    lines: int = 0
    end: int = 0
    """Bytes of all lines."""
    tree: Tree = field(default_factory=Tree)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, line: bytes) -> None:
        """Process the next line."""
        self.lines += 1
        self.end += len(line) + 1
        if line.strip():
            self.tree.add(jsonlines.parse_line(line), f"line-{self.end}")


class PostgresTranscripts:
    """See `webchat.storage.protocols.Transcripts`. Reads only the lines that are new."""

    def __init__(self, database: Database, leases: PostgresLeases) -> None:
        self._database, self._leases = database, leases
        self._guard = threading.Lock()
        """Guards the cache's table; the database is not read while it is held."""
        self._cached: OrderedDict[str, _Cached] = OrderedDict()

    # Reading

    def read(self, session_id: str) -> Branch:
        with self._tree(session_id) as tree:
            return tree.branch()

    def messages(self, session_id: str) -> Iterable[Message]:
        with self._tree(session_id) as tree:
            return list(tree.messages.values())

    def message(self, session_id: str, message_id: str) -> Message | None:
        with self._tree(session_id) as tree:
            return tree.messages.get(message_id)

    def leaf_below(self, session_id: str, message_id: str) -> str | None:
        with self._tree(session_id) as tree:
            return tree.leaf_below(message_id)

    def sent_with(self, session_id: str, key: str) -> list[tuple[Message, Message]]:
        with self._tree(session_id) as tree:
            return tree.sent_with(key)

    def raw(self, session_id: str) -> bytes:
        """All lines unchanged."""
        rows = self._database.rows(
            "SELECT line, number = torn FROM webchat.lines LEFT JOIN webchat.conversations USING (session_id) "
            "WHERE session_id = %s ORDER BY number",
            (text(session_id),),
        )
        data = b"".join(bytes(row[0]) + b"\n" for row in rows)
        return data[:-1] if rows and rows[-1][1] else data

    def sessions(self) -> Mapping[str, object]:
        rows = self._database.rows(
            "SELECT session_id, incarnation, lines FROM webchat.conversations WHERE lines > 0 ORDER BY said"
        )
        return {session_id: (incarnation, lines) for session_id, incarnation, lines in rows}

    def size(self, session_id: str) -> int:
        found = self._database.one("SELECT bytes FROM webchat.conversations WHERE session_id = %s", (text(session_id),))
        return int(found[0]) if found else 0

    def version(self, session_id: str) -> object:
        found = self._database.one(
            "SELECT incarnation, lines FROM webchat.conversations WHERE session_id = %s AND lines > 0",
            (text(session_id),),
        )
        return tuple(found) if found else None

    @contextmanager
    def _tree(self, session_id: str) -> Iterator[Tree]:
        """The current tree, locked for the block. Readers of other sessions do not wait."""
        with self._guard:
            cached = self._cached.setdefault(session_id, _Cached())
            self._cached.move_to_end(session_id)
        with cached.lock:
            self._read_on(session_id, cached)
            yield cached.tree
        with self._guard:
            drop_oldest(self._cached, lambda each: each.end, CACHED_SESSIONS, CACHED_BYTES)

    def _read_on(self, session_id: str, cached: _Cached) -> None:
        rows = self._database.rows(_READ, (cached.lines, text(session_id)))
        if cached.lines and (not rows or rows[0][0] != cached.incarnation):
            cached.lines, cached.end, cached.tree = 0, 0, Tree()
            rows = self._database.rows(_READ, (0, text(session_id)))
        for incarnation, _, line in rows:
            cached.incarnation = incarnation
            if line is not None:
                cached.take(bytes(line))

    # Writing

    def append(self, session_id: str, *messages: Message) -> None:
        lines = [jsonlines.dump(message.record()) for message in messages]
        tried = False

        def append() -> None:
            nonlocal tried
            before, tried = tried, True
            try:
                with self._database.transaction("append", has_one=True) as connection:
                    self.add_lines(connection, session_id, lines, messages)
            except _KnownMessage:
                # The first try has succeeded, and only the response was lost.
                if not before:
                    raise

        self._database.insist(append)

    def extend(self, session_id: str, more: Message) -> None:
        before = self.message(session_id, more.id)
        with self._database.transaction("append") as connection:
            self._add_extension(connection, session_id, more, before)

    def amend(self, session_id: str, new: Message) -> None:
        with self._database.transaction("append") as connection:
            start = self.add_lines(connection, session_id, [jsonlines.dump(amendment(new))])
            connection.execute(_INDEX, (session_id, text(new.id), start + 1, folded(new.full_text)))

    def select(self, session_id: str, message_id: str) -> None:
        with self._database.transaction("append") as connection:
            self.add_lines(connection, session_id, [jsonlines.dump({"type": "select", "id": message_id})])

    def add_reply(self, session_id: str, message: Message, reply: int | None, *, extends: bool) -> None:
        """Add a finished reply, as a message or as more of one, and remove the log `reply`, atomically.

        Raises LeaseLost.
        """
        # Read before the transaction: who reads a transcript waits for a connection, so who has one must not wait for
        # a reader.
        before = self.message(session_id, message.id) if extends else None
        with self._database.transaction("append", has_one=not extends) as connection:
            if extends:
                self._add_extension(connection, session_id, message, before, reply)
            else:
                self.add_lines(connection, session_id, [jsonlines.dump(message.record())], [message], reply)

    def _add_extension(
        self, connection: Connection, session_id: str, more: Message, before: Message | None, reply: int | None = None
    ) -> None:
        """Add to a message, and to its entry in the search index."""
        self.add_lines(connection, session_id, [jsonlines.dump(extension(more))], reply=reply)
        if before:
            said = folded(before.extended_by(more).full_text)
            connection.execute(_INDEX, (session_id, text(before.id), before.revision, said))

    def add_lines(
        self,
        connection: Connection,
        session_id: str,
        lines: Sequence[bytes],
        messages: Sequence[Message] = (),
        reply: int | None = None,
    ) -> int:
        """Add lines in that transaction; returns the number of lines before them.

        Indexes the new `messages`, which have one line each, and removes the log `reply`. Raises LeaseLost, and OSError
        if a message is known.
        """
        lease = self._leases.held(session_id)
        values = {
            "session": session_id,
            "count": len(lines),
            "bytes": sum(map(len, lines)) + len(lines),
            "lease": lease,
            "lines": [*lines],
            "ids": [message.id for message in messages],
            "words": [folded(message.full_text) for message in messages],
            "reply": reply,
        }
        statement = ADD_AND_END if reply is not None else ADD_OR_BEGIN if lease is None else ADD_IF_LEASED
        try:
            found = connection.execute(statement, values).fetchone()
        except psycopg.errors.UniqueViolation as error:
            raise _KnownMessage(errno.EEXIST, "a message with that id is there") from error
        if found is None:
            raise LeaseLost
        return int(found[0])

    def put_all(self, transcripts: Mapping[str, bytes]) -> None:
        # Parsed first: the database ends a transaction that stands idle.
        trees = {session_id: tree_of(_lines_of(data)) for session_id, data in transcripts.items()}
        with self._database.transaction() as connection:
            for session_id, tree in trees.items():
                if self.version(session_id) is not None:
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), session_id)
                for lines in by_size(_lines_of(transcripts[session_id]), LINES_AT_ONCE, BYTES_AT_ONCE):
                    self.add_lines(connection, session_id, lines)
                if not transcripts[session_id].endswith(b"\n"):
                    connection.execute(_NOTE_TORN, (text(session_id),))
                _index_all(connection, session_id, tree)

    def drop_cached(self, session_ids: Collection[str]) -> None:
        """Remove deleted sessions from the cache."""
        with self._guard:
            for session_id in session_ids:
                self._cached.pop(session_id, None)


def _lines_of(data: bytes) -> Iterator[bytes]:
    return (line.removesuffix(b"\n") for line in io.BytesIO(data))


def by_size(lines: Iterable[bytes], count: int, size: int) -> Iterator[list[bytes]]:
    """The lines in lists of at most `count`, each of which ends with the line that brings it to `size` bytes."""
    some, bytes_left = list[bytes](), size
    for line in lines:
        some.append(line)
        bytes_left -= len(line)
        if len(some) == count or bytes_left <= 0:
            yield some
            some, bytes_left = [], size
    if some:
        yield some


def tree_of(lines: Iterable[bytes]) -> Tree:
    """The tree of a transcript's lines."""
    read = _Cached()
    for line in lines:
        read.take(line)
    return read.tree


class _KnownMessage(OSError):
    """There is already a message with that id."""


def _index_all(connection: Connection, session_id: str, tree: Tree) -> None:
    """Index the messages of a new transcript, a few at a time."""
    said = (message for message in tree.messages.values() if message.full_text.strip())
    while some := [*islice(said, INDEXED_AT_ONCE)]:
        with connection.cursor() as cursor:
            rows = ((session_id, text(item.id), item.revision, folded(item.full_text)) for item in some)
            cursor.executemany(_INDEX, rows)
