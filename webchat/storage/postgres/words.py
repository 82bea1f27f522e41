"""Full-text search in one person's messages. Knows no index but the database's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import LiteralString

from webchat.chat.message import message_of
from webchat.chat.search import Found, Hit, excerpt, needles_of
from webchat.fileutil import jsonlines
from webchat.storage.postgres.database import Database, text
from webchat.storage.postgres.leases import PostgresLeases
from webchat.storage.postgres.reindexing import Reindexing
from webchat.storage.protocols import Transcripts

AT_ONCE = 200
"""Sessions searched in one statement, the most recent first."""
LONGEST_SEARCH = 0.5
"""Seconds that one search may take, before it returns what it has found."""
_SESSIONS: LiteralString = """
SELECT session_id FROM webchat.sessions WHERE person = %s AND shelf <> 'claim'
ORDER BY moment DESC, number DESC, session_id DESC
"""
_FIND: LiteralString = """
SELECT DISTINCT ON (w.session_id) w.session_id, w.message_id, w.extended, l.line
FROM webchat.words AS w LEFT JOIN webchat.lines AS l USING (session_id, number)
WHERE w.session_id = ANY(%s) AND w.words LIKE ALL(%s) ORDER BY w.session_id, w.number DESC
"""


class PostgresSearch:
    """See `webchat.storage.protocols.Search`.

    A person's sessions are searched from the latest on, so that the cost depends on that person's messages alone: an
    index of all words would look up a common word in everybody's messages.
    """

    def __init__(self, database: Database, transcripts: Transcripts, leases: PostgresLeases) -> None:
        self._database, self._transcripts = database, transcripts
        self._reindexing = Reindexing(database, leases)
        self.longest_search = LONGEST_SEARCH

    def find(self, query: str, owner: str | None, wanted: Callable[[str], bool], limit: int) -> Found:
        needles, is_all = needles_of(query)
        if not needles:
            return Found([], complete=True, partial=not is_all)
        complete, end = self._reindexing.is_done(), time.monotonic() + self.longest_search
        hits: list[Hit] = []
        sessions = [row[0] for row in self._database.rows(_SESSIONS, (text(owner or ""),))]
        for start in range(0, len(sessions), AT_ONCE):
            if time.monotonic() > end:
                return Found(hits, complete=complete, partial=True)
            for hit in self._hits(sessions[start : start + AT_ONCE], needles, end):
                if wanted(hit.session_id):
                    hits.append(hit)
                if len(hits) == limit:
                    return Found(hits, complete=complete, partial=not is_all)
        return Found(hits, complete=complete, partial=not is_all)

    def _hits(self, session_ids: Sequence[str], needles: Sequence[str], end: float) -> Iterator[Hit]:
        patterns = [f"%{needle}%" for needle in needles]
        found = {row[0]: row[1:] for row in self._database.rows(_FIND, ([*session_ids], patterns))}
        for session_id in session_ids:
            if session_id in found:
                message_id, extended, line = found[session_id]
                said = self._text_of(session_id, message_id, None if extended or line is None else bytes(line))
                yield Hit(session_id, message_id, *excerpt(said, needles, lambda: time.monotonic() > end))

    def _text_of(self, session_id: str, message_id: str, line: bytes | None) -> str:
        """The text of a message: from its line, or from the whole transcript if several lines change it."""
        record = jsonlines.parse_line(line) if line else None
        message = message_of(record, None, message_id, 0) if record else None
        if message is None:
            found = (each for each in self._transcripts.messages(session_id) if each.id == message_id)
            message = next(found, None)
        return message.full_text if message else ""

    def forget_gone(self, *, wait: bool = False) -> None:
        """The words of deleted sessions were removed with them."""
