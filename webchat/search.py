"""What was said, found by its words: an index in SQLite beside the transcripts.

Derived data: lost, damaged or left behind, it is made anew from them, in the background. Knows no rule of the chat.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from webchat import threads
from webchat.errors import NoThreads
from webchat.fileutil import DiskFolder, Folder, NotAFile, Stamp
from webchat.transcript import SUFFIX, messages_in

if TYPE_CHECKING:
    import sqlite3

log = logging.getLogger(__name__)
VERSION = 1
MERGED_AT_ONCE = 32 * 2**20
"""Bytes of an index that is merged as soon as something has gone from it; a second's work."""
JOURNAL = 2**20
"""Bytes that SQLite's journal keeps on the disk when it is not needed."""
"""Of the index's own format; another one is made anew."""
FRESH = 1.0
"""Seconds after which somebody who searches has the transcripts looked through for what is new."""
PATIENCE = 0.05
"""Seconds that a search waits for that look; what it then has is what it gives."""
ROWS = 20_000
"""Messages looked at for one search, the latest: many may be in few sessions, or in the trash."""
EXCERPT = 70
"""Characters shown on each side of what was found."""
LOOKED_AT = 20_000
"""Characters of a message that are looked through at once for what to show of it."""
LONGEST_WORD = 200
"""Characters of a word that may stand where two such parts meet."""
_SCHEMA = f"""
PRAGMA user_version = {VERSION};
CREATE TABLE files (session TEXT PRIMARY KEY, stamp TEXT);
CREATE TABLE messages (id INTEGER PRIMARY KEY, session TEXT, message TEXT, text TEXT);
CREATE INDEX messages_of ON messages (session);
CREATE VIRTUAL TABLE words USING fts5 (text, content='', prefix='1 2 3', tokenize='unicode61 remove_diacritics 0');
"""
# Written without blanks between words: each character is a word of its own, and what is looked for a row of them.
_NO_BLANKS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


@dataclass(frozen=True)
class Hit:
    """A message that has all the words; `before`, `match` and `after` are what is shown of its text."""

    session_id: str
    message_id: str
    before: str
    match: str
    after: str


def folded(text: str) -> str:
    """The text as it is compared: without case and accents, compatibility forms as one."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text)
    return "".join(char for char in apart if not unicodedata.combining(char)).casefold()


folded_title = lru_cache(maxsize=20_000)(folded)


class SearchIndex:
    """The words of all transcripts in a folder. Any number of threads and processes may share it."""

    def __init__(self, transcripts: Folder, path: Path | None) -> None:
        """`path` is the index's file; None: in memory."""
        self._folder, self._path = transcripts, path
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None
        self._wanted, self._fresh = threading.Event(), threading.Event()
        self._looked = 0.0
        self._running = self._closed = False

    def find(self, query: str, wanted: Callable[[str], bool], limit: int) -> tuple[list[Hit], bool]:
        """The latest message of each session that has all the words of `query`, or words that begin so.

        `wanted` says which sessions count. Also gives whether the index is up to date; where it is not, there may be
        more in a moment.
        """
        words = folded(query).split()
        if not words:
            return [], True
        self._look_for_news()
        looked_at: set[str] = set()
        hits: list[Hit] = []
        with self._using() as database:
            for row, session_id, message_id in database.execute(_QUERY, (_expression(words), ROWS)):
                if session_id not in looked_at:
                    looked_at.add(session_id)
                    if wanted(session_id):
                        text = database.execute("SELECT text FROM messages WHERE id = ?", (row,)).fetchone()[0]
                        hits.append(Hit(session_id, message_id, *_excerpt(text, words)))
                if len(hits) == limit:
                    break
        return hits, self._fresh.is_set()

    def forget_gone(self) -> None:
        """Let what was said in sessions that are gone go from the index too, where there is one; returns at once."""
        if self._database or (self._path and self._path.exists()):
            self._wake()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._wanted.set()
            if self._database:
                self._database.close()
                self._database = None

    def _look_for_news(self) -> None:
        if time.monotonic() - self._looked < FRESH and self._fresh.is_set():
            return
        self._wake()
        self._fresh.wait(PATIENCE)

    def _wake(self) -> None:
        with self._lock:
            self._fresh.clear()
            self._wanted.set()
            if not self._running and not self._closed:
                self._start()

    def _start(self) -> None:
        """Start the thread that keeps the index up to date; where there is none to be had, the next search tries."""
        try:
            threads.start(self._keep_up, "search")
            self._running = True
        except NoThreads:
            log.warning("the search index cannot be brought up to date: there is no thread left")

    def _keep_up(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._closed:
                return
            try:
                self.update()
            except Exception:  # the next search tries again
                log.warning("the search index could not be brought up to date", exc_info=True)
            self._looked = time.monotonic()
            self._fresh.set()

    def update(self) -> None:
        """Take in what has changed in the transcripts since the last time. Raises OSError, sqlite3.Error.

        A transcript that cannot be read is left out.
        """
        with self._using() as database:
            known = dict(database.execute("SELECT session, stamp FROM files"))
        names = [name for name in self._folder.names() if name.endswith(SUFFIX)]
        stamps = {name.removesuffix(SUFFIX): stamp for name in names if (stamp := self._folder.stamp(name))}
        gone = known.keys() - stamps.keys()
        for session_id in gone:
            self._take_in(session_id, None)
        if gone:
            self._shrink(empty=not stamps)
        # The oldest first: what was said last is found first.
        changed = [key for key, stamp in stamps.items() if known.get(key) != _told(stamp)]
        for session_id in sorted(changed, key=lambda key: stamps[key].modified_ns):
            if self._closed:
                return
            try:
                self._take_in(session_id, stamps[session_id])
            except OSError:
                log.warning("session %s cannot be read and is not searched", session_id, exc_info=True)

    def _take_in(self, session_id: str, stamp: Stamp | None) -> None:
        """Make the index say of one session what its transcript does; without a stamp it is gone."""
        data = self._folder.read(session_id + SUFFIX) if stamp else None
        said = {message.id: message.told for message in messages_in(data or b"") if message.told.strip()}
        with self._using() as database:
            rows = database.execute("SELECT id, message, text FROM messages WHERE session = ?", (session_id,))
            old = {message: (row, text) for row, message, text in rows.fetchall()}
            for message, (row, text) in old.items():
                if said.get(message) != text:
                    database.execute(_FORGET, (row, _spaced(text)))
                    database.execute("DELETE FROM messages WHERE id = ?", (row,))
            for message, text in said.items():
                if message not in old or old[message][1] != text:
                    row = database.execute(
                        "INSERT INTO messages (session, message, text) VALUES (?, ?, ?)", (session_id, message, text)
                    ).lastrowid
                    database.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (row, _spaced(text)))
            database.execute("DELETE FROM files WHERE session = ?", (session_id,))
            if stamp:
                database.execute("INSERT INTO files VALUES (?, ?)", (session_id, _told(stamp)))

    def _shrink(self, *, empty: bool) -> None:
        """Give back to the disk what nothing needs any more.

        The words of what has gone stay until FTS5 merges what they are in, which takes too long where there is much.
        """
        if empty:
            with self._lock:
                self._throw_away()
            return
        with self._using() as database:
            if self._path and self._path.stat().st_size < MERGED_AT_ONCE:
                database.execute("INSERT INTO words (words) VALUES ('optimize')")
        with self._using() as database:
            database.execute("PRAGMA incremental_vacuum").fetchall()
            database.execute("PRAGMA wal_checkpoint (TRUNCATE)").fetchall()

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """The database for one transaction. A damaged one is thrown away, and the search is for the next time."""
        import sqlite3

        with self._lock:
            if self._database is None:
                self._database = self._opened()
            try:
                with self._database:  # commits, or takes back
                    yield self._database
            except sqlite3.OperationalError:  # busy, or the disk: no damage
                raise
            except sqlite3.DatabaseError:
                log.warning("the search index is damaged and is made anew", exc_info=True)
                self._throw_away()
                raise

    def _opened(self) -> sqlite3.Connection:
        import sqlite3

        try:
            return self._connected(str(self._path) if self._path else ":memory:")
        except (sqlite3.OperationalError, NotAFile):
            log.warning("the search index cannot be kept in a file", exc_info=True)
            return self._connected(":memory:")
        except sqlite3.DatabaseError:
            log.warning("the search index is damaged and is made anew", exc_info=True)
            self._throw_away()
            return self._connected(str(self._path))

    def _connected(self, name: str) -> sqlite3.Connection:
        import sqlite3

        if self._path and name != ":memory:":
            self._require_files()
            with suppress(OSError):  # SQLite's own files get the mode of this one
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
        database = sqlite3.connect(name, check_same_thread=False, timeout=5)
        try:
            database.execute("PRAGMA auto_vacuum = INCREMENTAL")
            database.execute("PRAGMA secure_delete = FAST")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(f"PRAGMA journal_size_limit = {JOURNAL}")
            database.execute("PRAGMA synchronous = OFF")  # what is lost is made anew
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version != VERSION:
                for table in ("words", "messages", "files"):
                    database.execute(f"DROP TABLE IF EXISTS {table}")
                database.executescript(_SCHEMA)
            database.execute("SELECT count(*) FROM files").fetchone()
        except BaseException:
            database.close()
            raise
        return database

    def _require_files(self) -> None:
        """SQLite would follow a link out of the folder. Raises NotAFile."""
        if isinstance(self._folder, DiskFolder):
            self._folder.require_no_link()
        for path in self._paths():
            if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
                raise NotAFile(path.name)

    def _paths(self) -> list[Path]:
        return [self._path.with_name(self._path.name + suffix) for suffix in ("", "-wal", "-shm")] if self._path else []

    def _throw_away(self) -> None:
        if self._database:
            self._database.close()
            self._database = None
        for path in self._paths():
            with suppress(OSError):
                path.unlink()
        self._looked = 0.0


_QUERY = """
SELECT messages.id, session, message FROM words JOIN messages ON messages.id = words.rowid
WHERE words MATCH ? ORDER BY words.rowid DESC LIMIT ?
"""


_FORGET = "INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)"


def index_beside(folder: Folder, name: str, transcripts: Folder) -> SearchIndex:
    """The index of these transcripts, in a file of that folder where it is on a disk."""
    return SearchIndex(transcripts, folder.path / name if isinstance(folder, DiskFolder) else None)


def _told(stamp: Stamp) -> str:
    return f"{stamp.size} {stamp.modified_ns} {stamp.identity}"


def _spaced(text: str) -> str:
    """The text as it is indexed."""
    return _NO_BLANKS.sub(r" \g<0> ", folded(text))


def _expression(words: Iterable[str]) -> str:
    """What FTS5 is asked: every word, or one that begins so. Quoted, nothing in them is its syntax."""
    quoted = (_spaced(word).replace('"', " ").strip() for word in words)
    parts = [f'"{word}" *' for word in quoted if any(char.isalnum() for char in word)]
    return " ".join(parts) or '""'


def _excerpt(text: str, words: list[str]) -> tuple[str, str, str]:
    """What is shown of a message: what stands before the first of the words, that word, and what follows."""
    for start in range(0, len(text), LOOKED_AT):
        place = _place(text[start : start + LOOKED_AT + LONGEST_WORD], words)
        if place:
            begin, end = start + place[0], start + place[1]
            before = text[max(0, begin - EXCERPT) : begin]
            after = text[end : end + 2 * EXCERPT - len(before)]
            lead, trail = "…" if begin > EXCERPT else "", "…" if end + len(after) < len(text) else ""
            return lead + _one_line(before), text[begin:end], _one_line(after) + trail
    return "", "", _one_line(text[: 2 * EXCERPT])


def _place(text: str, words: list[str]) -> tuple[int, int] | None:
    """From where to where the first of these words stands in the text, at a word's beginning if there is such a one."""
    flat = folded(text)
    if not any(word in flat for word in words):
        return None
    parts = [folded(char) for char in text] if not text.isascii() else None
    flat = "".join(parts) if parts else flat
    found = (re.search(rf"(?<!\w){re.escape(word)}", flat) for word in words)
    starts = [match.start() for match in found if match] or [place for word in words if (place := flat.find(word)) >= 0]
    if not starts:
        return None
    start = min(starts)
    return _places(parts, start, start + max(len(word) for word in words if flat.startswith(word, start)))


def _places(parts: list[str] | None, start: int, end: int) -> tuple[int, int]:
    """Where in the text that is which stands from `start` to `end` in its folded form."""
    if parts is None:
        return start, end
    place, found = 0, []
    for number, part in enumerate(parts):
        if place <= start < place + len(part):
            found.append(number)
        place += len(part)
        if found and place >= end:
            return found[0], number + 1
    return (found[0] if found else 0), len(parts)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)
