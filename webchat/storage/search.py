"""Full-text search: an index in SQLite beside the transcripts.

Derived data: if lost, damaged or outdated, it is rebuilt from them in the background. Knows no rule of the chat.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from webchat import threads
from webchat.chat.folding import folded
from webchat.chat.search import Found, Hit, excerpt, expression, needles_of
from webchat.errors import NoThreads
from webchat.storage.protocols import Texts
from webchat.storage.search_file import LookedAtPart, SearchFile

if TYPE_CHECKING:
    import sqlite3

log = logging.getLogger(__name__)
MERGED_AT_ONCE = 32 * 2**20
"""An index up to this size is merged as soon as something was removed from it; it takes a second."""
FRESH = 1.0
"""Seconds between two updates of the index by searches, whether or not they succeed."""
LATEST = 3.0
"""Seconds: what was written earlier than this is in an index that is said to be complete.

More than FRESH, so that an update may take a while and searches each second still find a complete index.
"""
PATIENCE = 0.05
"""Seconds that a search waits for the update, before it returns what is indexed."""
LONGEST_SEARCH = 0.5
"""Seconds that one search may take, before it returns what it has found."""
ROWS = 20_000
"""The latest matches that one search considers: many may be in the same session, or in the trash."""


class SearchIndex:
    """See `webchat.storage.protocols.Search`. Threads and processes may share the index."""

    def __init__(
        self, transcripts: Texts, path: Path | None = None, require_own: Callable[[], None] = lambda: None
    ) -> None:
        """`path` is the index's file; None: in memory. `require_own` raises OSError if its folder is not ours."""
        self._transcripts, self._file = transcripts, SearchFile(path, require_own)
        self._changed = threading.Condition()
        """Guards the times and flags below; notified after each update."""
        self._wanted = threading.Event()
        self.longest_search = LONGEST_SEARCH
        self._looked = self._tried = self._removed = -math.inf
        """When the latest finished update began, and when an update and a removal were last asked for."""
        self._running = self._closed = self._has_failed = False
        self._is_whole = False
        """Whether all sessions were known to the latest update."""

    def find(self, query: str, owner: str | None, wanted: Callable[[str], bool], limit: int) -> Found:
        """See `webchat.storage.protocols.Search`. Raises sqlite3.Error."""
        needles, is_all = needles_of(query)
        if not needles:
            return Found([], complete=True, partial=not is_all)
        is_fresh = self._look_for_news()  # known before the search: the index may become so during it
        end = time.monotonic() + self.longest_search
        hits: list[Hit] = []
        try:
            with self._file.reading(end) as database:
                for hit in _hits(database, needles, wanted, end):
                    hits.append(hit)
                    if len(hits) == limit:
                        break
        except LookedAtPart:
            is_all = False
        except Exception:  # the next search updates the index again
            self._looked = -math.inf
            raise
        return Found(hits, complete=is_fresh, partial=not is_all)

    def forget_gone(self, *, wait: bool = False) -> None:
        """Remove deleted sessions from the index, if there is one."""
        if self._file.is_there and wait:
            self.update()
        elif self._file.is_there:
            with self._changed:
                self._removed = time.monotonic()
                self._wake()

    def close(self) -> None:
        self._closed = True
        self._wanted.set()
        self._file.close()

    def _look_for_news(self) -> bool:
        """Whether the index has everything, but perhaps for what was written in the last seconds; see `LATEST`."""
        now = time.monotonic()
        with self._changed:
            if not self._knows(now - FRESH):
                if now - self._tried >= FRESH:
                    self._wake()
                self._changed.wait_for(lambda: self._knows(now - FRESH), PATIENCE)
            return self._is_whole and self._knows(now - LATEST)

    def _knows(self, moment: float) -> bool:
        """Whether the index has what was written by then, and nothing that was removed."""
        return self._looked >= max(moment, self._removed)

    def _wake(self) -> None:
        """Ask for an update. The caller holds `_changed`."""
        self._tried = time.monotonic()
        self._wanted.set()
        if not self._running and not self._closed:
            self._start()

    def _start(self) -> None:
        """Start the thread that updates the index; without a free thread a later search retries."""
        try:
            threads.start(self._keep_up, "search")
            self._running = True
        except NoThreads:
            self._say_once("the search index cannot be updated: no thread is free")

    def _keep_up(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._closed:
                return
            began, is_whole = time.monotonic(), self._transcripts.is_whole
            try:
                self.update()
            except Exception as error:  # a later search retries
                self._say_once("the search index could not be updated", error)
                continue
            with self._changed:
                self._is_whole, self._looked, self._has_failed = is_whole, began, False
                self._changed.notify_all()

    def _say_once(self, problem: str, error: Exception | None = None) -> None:
        """Log why an update failed, if it is the first to fail since the last that succeeded."""
        if not self._has_failed:
            log.warning(problem, exc_info=error)
        self._has_failed = True

    def update(self) -> None:
        """Index what has changed in the transcripts since the last time. Raises OSError, sqlite3.Error.

        A transcript that cannot be read is skipped.
        """
        with self._file.using() as database:
            known = dict(database.execute("SELECT session, stamp FROM files"))
        versions = self._transcripts.sessions()
        gone = known.keys() - versions.keys()
        for session_id in gone:
            self._take_in(session_id, None)
        if gone:
            self._shrink(empty=not versions)
        # Oldest first, so that the latest messages have the highest row ids and are found first.
        for session_id in [key for key, version in versions.items() if known.get(key) != str(version)]:
            if self._closed:
                return
            try:
                self._take_in(session_id, str(versions[session_id]))
            except OSError:
                log.warning("session %s cannot be read and is not searched", session_id, exc_info=True)

    def _take_in(self, session_id: str, version: str | None) -> None:
        """Index one session's transcript again; without a version remove it."""
        messages = self._transcripts.messages(session_id) if version else ()
        said = {message.id: message.full_text for message in messages if message.full_text.strip()}
        with self._file.using() as database:
            database.execute("BEGIN IMMEDIATE")  # another process may index the same session now
            rows = database.execute("SELECT id, message, text FROM messages WHERE session = ?", (session_id,))
            old = {message: (row, text) for row, message, text in rows.fetchall()}
            for message, (row, text) in old.items():
                if said.get(message) != text:
                    database.execute(_FORGET, (row, folded(text)))
                    database.execute("DELETE FROM messages WHERE id = ?", (row,))
            for message, text in said.items():
                if message not in old or old[message][1] != text:
                    row = database.execute(
                        "INSERT INTO messages (session, message, text) VALUES (?, ?, ?)", (session_id, message, text)
                    ).lastrowid
                    database.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (row, folded(text)))
            database.execute("DELETE FROM files WHERE session = ?", (session_id,))
            if version:
                database.execute("INSERT INTO files VALUES (?, ?)", (session_id, version))

    def _shrink(self, *, empty: bool) -> None:
        """Return unused pages to the disk.

        The words of removed messages stay until FTS5 merges their segments, which takes too long in a large index.
        """
        if empty:
            self._file.throw_away()
            return
        with self._file.using() as database:
            if self._file.path and self._file.path.stat().st_size < MERGED_AT_ONCE:
                database.execute("INSERT INTO words (words) VALUES ('optimize')")
        with self._file.using() as database:
            database.execute("PRAGMA incremental_vacuum").fetchall()
            database.execute("PRAGMA wal_checkpoint (TRUNCATE)").fetchall()


def _hits(
    database: sqlite3.Connection, needles: Sequence[str], wanted: Callable[[str], bool], end: float
) -> Iterator[Hit]:
    """The latest message of each wanted session, the latest first. Raises LookedAtPart, sqlite3.Error."""

    def is_late() -> bool:
        return time.monotonic() > end

    done: set[str] = set()
    rows = database.execute(_QUERY, (expression(needles), ROWS))
    for number, (row, session_id, message_id) in enumerate(rows, 1):
        if is_late() or number == ROWS:
            raise LookedAtPart
        if session_id in done:
            continue
        if not wanted(session_id):
            done.add(session_id)
            continue
        text = database.execute("SELECT text FROM messages WHERE id = ?", (row,)).fetchone()[0]
        flat = folded(text)  # the index knows trigrams, and not where they stand
        if all(needle in flat for needle in needles):
            done.add(session_id)
            yield Hit(session_id, message_id, *excerpt(text, needles, is_late))


_QUERY = """
SELECT messages.id, session, message FROM words JOIN messages ON messages.id = words.rowid
WHERE words MATCH ? ORDER BY words.rowid DESC LIMIT ?
"""


_FORGET = "INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)"
