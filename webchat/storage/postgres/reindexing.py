"""Rewrites search words of earlier versions in this version's form, in the background. Knows no query."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import LiteralString

from webchat import threads
from webchat.chat.folding import folded
from webchat.errors import NoThreads, SessionBusy
from webchat.storage.postgres.database import Database, text
from webchat.storage.postgres.leases import PostgresLeases
from webchat.storage.postgres.transcripts import tree_of

log = logging.getLogger(__name__)
LOCK = ":reindexing"
"""The name of the lock under which one server at a time does this."""
AT_ONCE = 200
"""Lines read, or messages written, in one transaction: writers in the session wait for its end."""
PAUSE = 1.0
"""Seconds until sessions that changed meanwhile are tried again."""
_IS_LEFT: LiteralString = "SELECT EXISTS (SELECT FROM webchat.reindexing)"
_NEXT: LiteralString = "SELECT session_id FROM webchat.reindexing WHERE session_id > %s ORDER BY session_id LIMIT 1"
_STATE: LiteralString = "SELECT incarnation, lines FROM webchat.conversations WHERE session_id = %s"
_LINES: LiteralString = """
SELECT number, line FROM webchat.lines WHERE session_id = %s AND number > %s ORDER BY number LIMIT %s
"""
_REWRITE: LiteralString = """
UPDATE webchat.words SET words = %(words)s
WHERE session_id = %(session)s AND message_id = %(message)s AND words <> %(words)s
"""


class Reindexing:
    """Done by one server at a time; if it ends early, another one continues with the next search there."""

    def __init__(self, database: Database, leases: PostgresLeases) -> None:
        self._database, self._leases = database, leases
        self._guard = threading.Lock()
        self._is_running = False

    def is_done(self) -> bool:
        """Whether all words are folded as in this version. If not, starts to see to it.

        Asked each time: as long as a server of an earlier version runs, it may write more.
        """
        if not self._database.one(_IS_LEFT)[0]:
            return True
        self._start()
        return False

    def _start(self) -> None:
        with self._guard:
            if not self._is_running:
                try:
                    threads.start(self._run, "reindexing")
                    self._is_running = True
                except NoThreads:  # the next search tries again
                    log.warning("earlier messages cannot be indexed: no thread is free")

    def _run(self) -> None:
        try:
            with self._leases.locked(LOCK, 0):
                while not self._pass():
                    time.sleep(PAUSE)
        except SessionBusy:
            pass  # another server does it
        except OSError:  # the next search tries again
            if not self._database.is_closed:
                log.warning("earlier messages could not be indexed", exc_info=True)
        finally:
            self._is_running = False

    def _pass(self) -> bool:
        """Reindex the sessions one after another; returns whether none of them changed meanwhile."""
        is_whole, name = True, ""
        while found := self._database.one(_NEXT, (name,)):
            name = found[0]
            is_whole &= self._reindex(name)
        return is_whole

    def _reindex(self, session_id: str) -> bool:
        """Reindex a session; returns whether it did not change meanwhile. It is read and parsed in no transaction."""
        state = self._database.one(_STATE, (session_id,))
        words = [
            {"session": session_id, "message": text(each.id), "words": folded(each.full_text)}
            for each in tree_of(self._lines(session_id)).messages.values()
        ]
        for start in range(0, len(words), AT_ONCE):
            if not self._write(session_id, state, words[start : start + AT_ONCE]):
                return False
        return self._write(session_id, state, [], is_last=True)

    def _lines(self, session_id: str) -> Iterator[bytes]:
        last = 0
        while rows := self._database.rows(_LINES, (session_id, last, AT_ONCE)):
            yield from (bytes(line) for _, line in rows)
            last = rows[-1][0]

    def _write(
        self, session_id: str, state: object, words: Sequence[Mapping[str, str]], *, is_last: bool = False
    ) -> bool:
        """Write these words, unless there is more in the session than when it was read; returns whether it did."""
        with self._database.transaction() as connection:
            if connection.execute(_STATE + " FOR UPDATE", (session_id,)).fetchone() != state:
                return False
            with connection.cursor() as cursor:
                cursor.executemany(_REWRITE, words)
            if is_last:
                connection.execute("DELETE FROM webchat.reindexing WHERE session_id = %s", (session_id,))
        return True
