"""Full-text search: an index in SQLite beside the transcripts.

Derived data: if lost, damaged or outdated, it is rebuilt from them in the background. Knows no rule of the chat.
"""

from __future__ import annotations

import logging
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
"""Seconds between two updates of the index by searches."""
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
        self._guard = threading.Lock()
        self._wanted, self._fresh = threading.Event(), threading.Event()
        self.longest_search = LONGEST_SEARCH
        self._looked = 0.0
        self._running = self._closed = False

    def find(self, query: str, owner: str | None, wanted: Callable[[str], bool], limit: int) -> Found:
        """See `webchat.storage.protocols.Search`. Raises sqlite3.Error."""
        needles, is_all = needles_of(query)
        if not needles:
            return Found([], complete=True, partial=not is_all)
        self._look_for_news()
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
            self._looked = 0.0
            raise
        return Found(hits, complete=self._fresh.is_set(), partial=not is_all)

    def forget_gone(self, *, wait: bool = False) -> None:
        """Remove deleted sessions from the index, if there is one."""
        if self._file.is_there and wait:
            self.update()
        elif self._file.is_there:
            self._wake()

    def close(self) -> None:
        self._closed = True
        self._wanted.set()
        self._file.close()

    def _look_for_news(self) -> None:
        if time.monotonic() - self._looked < FRESH and self._fresh.is_set():
            return
        self._wake()
        self._fresh.wait(PATIENCE)

    def _wake(self) -> None:
        with self._guard:
            self._fresh.clear()
            self._wanted.set()
            if not self._running and not self._closed:
                self._start()

    def _start(self) -> None:
        """Start the thread that updates the index; without a free thread the next search retries."""
        try:
            threads.start(self._keep_up, "search")
            self._running = True
        except NoThreads:
            log.warning("the search index cannot be updated: no thread is free")

    def _keep_up(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._closed:
                return
            try:
                self.update()
            except Exception:  # the next search retries
                log.warning("the search index could not be updated", exc_info=True)
            self._looked = time.monotonic()
            self._fresh.set()

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
