"""The database of the search: a file beside the transcripts, or in memory. Knows no query."""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from webchat.fileutil import NotAFile

if TYPE_CHECKING:
    import sqlite3

log = logging.getLogger(__name__)
VERSION = 2
"""The version of the index's format; an index of another version is rebuilt."""
JOURNAL = 2**20
"""Bytes that SQLite's idle journal keeps on the disk."""
STEPS = 1_000
"""SQLite's virtual machine instructions between two checks of the deadline."""
_SCHEMA = f"""
DROP TABLE IF EXISTS words;
DROP TABLE IF EXISTS messages;
DROP TABLE IF EXISTS files;
PRAGMA user_version = {VERSION};
CREATE TABLE files (session TEXT PRIMARY KEY, stamp TEXT);
CREATE TABLE messages (id INTEGER PRIMARY KEY, session TEXT, message TEXT, text TEXT);
CREATE INDEX messages_of ON messages (session);
CREATE VIRTUAL TABLE words USING fts5 (text, content='', detail=none, tokenize='trigram case_sensitive 1')
"""


class LookedAtPart(Exception):
    """A search has reached its limit of time or rows."""


class SearchFile:
    """Derived data: a damaged file is discarded, and if no file can be written the index is in memory."""

    def __init__(self, path: Path | None, require_own: Callable[[], None]) -> None:
        """`path` is the file; None: in memory. `require_own` raises OSError if its folder is not ours."""
        self.path, self._require_own = path, require_own
        self._lock = threading.RLock()
        """Guards this connection. Searches use connections of their own and do not wait."""
        self._database: sqlite3.Connection | None = None
        self._is_in_file = False
        self._identity: tuple[int, int] | None = None
        """Device and inode of the file that `_database` has open."""

    @property
    def is_there(self) -> bool:
        """Whether there is an index."""
        return self._database is not None or (self.path is not None and self.path.exists())

    def close(self) -> None:
        with self._lock:
            if self._database:
                self._database.close()
                self._database = None

    @contextmanager
    def reading(self, end: float) -> Iterator[sqlite3.Connection]:
        """A connection for one search, interrupted at the deadline. Raises LookedAtPart."""
        import sqlite3

        with self._connection_to_read() as database:
            database.set_progress_handler(lambda: time.monotonic() > end, STEPS)
            try:
                yield database
            except sqlite3.OperationalError as error:
                if time.monotonic() > end:
                    raise LookedAtPart from error
                raise
            except sqlite3.DatabaseError:
                log.warning("the search index is damaged and will be rebuilt", exc_info=True)
                self.throw_away()
                raise
            finally:
                database.set_progress_handler(None, 0)

    @contextmanager
    def _connection_to_read(self) -> Iterator[sqlite3.Connection]:
        import sqlite3

        if self._database is None:
            with self.using():
                pass  # creates the file
        if not self._is_in_file:  # a database in memory has one connection, whose users take turns
            with self.using() as database:
                yield database
            return
        assert self.path is not None  # noqa: S101
        self._require_files()
        with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=rw", uri=True, timeout=1)) as database:
            yield database

    @contextmanager
    def using(self) -> Iterator[sqlite3.Connection]:
        """The database for one transaction. A damaged one is discarded, and the caller retries later."""
        import sqlite3

        with self._lock:
            if self._is_in_file and self._identity != self._identity_now():
                self.close()  # the file was deleted, or rebuilt by another process
            if self._database is None:
                self._database = self._opened()
                self._identity = self._identity_now()
            try:
                with self._database:  # commits or rolls back
                    yield self._database
            except sqlite3.OperationalError:  # busy, or a disk error: the file is not damaged
                raise
            except sqlite3.DatabaseError:
                log.warning("the search index is damaged and will be rebuilt", exc_info=True)
                self.throw_away()
                raise

    def _identity_now(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat() if self.path else None
        except OSError:
            return None
        return (found.st_dev, found.st_ino) if found else None

    def _opened(self) -> sqlite3.Connection:
        import sqlite3

        self._is_in_file = self.path is not None
        try:
            return self._connected(str(self.path) if self.path else ":memory:")
        except (sqlite3.OperationalError, NotAFile):
            log.warning("the search index cannot be kept in a file", exc_info=True)
            self._is_in_file = False
            return self._connected(":memory:")
        except sqlite3.DatabaseError:
            log.warning("the search index is damaged and will be rebuilt", exc_info=True)
            self.throw_away()
            return self._connected(str(self.path))

    def _connected(self, name: str) -> sqlite3.Connection:
        import sqlite3

        if self.path and name != ":memory:":
            self._make_file(self.path)
        database = sqlite3.connect(name, check_same_thread=False, timeout=5)
        try:
            _prepare(database)
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):  # removing a file takes no time, dropping its tables does
                database.close()
                self._remove()
                return self._connected(name)
            if version != VERSION:
                _make_tables(database)
            database.execute("SELECT count(*) FROM files").fetchone()
        except BaseException:
            database.close()
            raise
        return database

    def _make_file(self, path: Path) -> None:
        """SQLite's other files get the mode of this one. Raises NotAFile."""
        self._require_files()
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))

    def _require_files(self) -> None:
        """SQLite would follow a link out of the folder. Raises NotAFile."""
        self._require_own()
        for path in self._paths():
            if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
                raise NotAFile(path.name)

    def _paths(self) -> list[Path]:
        return [self.path.with_name(self.path.name + suffix) for suffix in ("", "-wal", "-shm")] if self.path else []

    def throw_away(self) -> None:
        """Discard the index, so that it is rebuilt."""
        with self._lock:
            self.close()
            self._remove()

    def _remove(self) -> None:
        for path in self._paths():
            with suppress(OSError):
                path.unlink()


def _make_tables(database: sqlite3.Connection) -> None:
    """Make the tables, unless another process has done so meanwhile."""
    with database:
        database.execute("BEGIN IMMEDIATE")
        if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            for statement in _SCHEMA.split(";"):
                database.execute(statement)


def _prepare(database: sqlite3.Connection) -> None:
    """Set SQLite's options; some have an effect only before the first table."""
    database.execute("PRAGMA auto_vacuum = INCREMENTAL")
    database.execute("PRAGMA secure_delete = FAST")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(f"PRAGMA journal_size_limit = {JOURNAL}")
    database.execute("PRAGMA synchronous = OFF")  # the index can be rebuilt
