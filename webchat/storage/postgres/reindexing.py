"""Rewrites search words of earlier versions in this version's form, in the background. Knows no query."""

from __future__ import annotations

import logging
import threading
import time
from itertools import groupby
from typing import LiteralString

from webchat import threads
from webchat.chat.folding import folded
from webchat.errors import NoThreads
from webchat.storage.postgres.database import Database, text
from webchat.storage.postgres.transcripts import tree_of

log = logging.getLogger(__name__)
AT_ONCE = 10
"""Sessions per transaction: writers in them wait for its end."""
PAUSE = 1.0
"""Seconds to wait for locks of writers, or of another server that does the same."""
_IS_LEFT: LiteralString = "SELECT EXISTS (SELECT FROM webchat.reindexing)"
_NEXT: LiteralString = """
SELECT session_id FROM webchat.reindexing JOIN webchat.conversations USING (session_id)
LIMIT %s FOR UPDATE SKIP LOCKED
"""
_LINES: LiteralString = """
SELECT session_id, line FROM webchat.lines WHERE session_id = ANY(%s) ORDER BY session_id, number
"""
_REWRITE: LiteralString = "UPDATE webchat.words SET words = %s WHERE session_id = %s AND message_id = %s"


class Reindexing:
    """Any number of servers may do this in parallel; if one ends early, the next one continues."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._guard = threading.Lock()
        self._is_done = self._is_running = False

    def is_done(self) -> bool:
        """Whether all words are in this version's form; if not, start the rewrite."""
        if not self._is_done:
            self._is_done = not self._database.one(_IS_LEFT)[0]
        if not self._is_done:
            self._start()
        return self._is_done

    def _start(self) -> None:
        with self._guard:
            if not self._is_running:
                try:
                    threads.start(self._run, "reindexing")
                    self._is_running = True
                except NoThreads:  # the next search tries again
                    log.warning("earlier messages cannot be indexed: there is no thread left")

    def _run(self) -> None:
        try:
            while self._database.one(_IS_LEFT)[0]:
                if not self._next():
                    time.sleep(PAUSE)
        except OSError:  # the next search tries again
            log.warning("earlier messages could not be indexed", exc_info=True)
        finally:
            self._is_running = False

    def _next(self) -> int:
        """Reindex the next sessions; returns their number."""
        with self._database.transaction() as connection:
            names = [row[0] for row in connection.execute(_NEXT, (AT_ONCE,))]
            rows = connection.execute(_LINES, (names,)).fetchall()
            for session_id, lines in groupby(rows, key=lambda row: row[0]):
                said = tree_of(bytes(line) for _, line in lines).messages.values()
                with connection.cursor() as cursor:
                    cursor.executemany(_REWRITE, [(folded(each.told), session_id, text(each.id)) for each in said])
            connection.execute("DELETE FROM webchat.reindexing WHERE session_id = ANY(%s)", (names,))
        return len(names)
