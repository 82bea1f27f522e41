"""Writes to the logs of replies in flight. Writes that come during another one share the next statement."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

from webchat.errors import StorageAway
from webchat.fileutil import jsonlines
from webchat.storage.postgres.database import Database
from webchat.storage.postgres.leases import IS_ALIVE

INTERVAL = 0.01
"""Seconds at least from the start of one statement to the start of the next, so that more writes share it. A thread
that writes again, alone, does not wait."""
MOST = 50
"""Writes in one statement. Its LIMIT says so to PostgreSQL's planner, which would otherwise scan all sessions."""
_WRITE_THOSE: LiteralString = f"""
WITH new AS (
    SELECT * FROM json_to_recordset(%s) AS new (session text, reply bigint, before integer, lease bigint, lines json)
    LIMIT {MOST}
), free AS (
    SELECT new.* FROM webchat.conversations AS known JOIN new ON session_id = session AND known.reply = new.reply
    FOR UPDATE OF known {{}}
), head AS (
    UPDATE webchat.conversations AS known SET records = before + json_array_length(new.lines)
    FROM free AS new WHERE session_id = session AND known.reply = new.reply AND records = before
    AND (new.lease IS NULL OR (known.lease = new.lease AND {IS_ALIVE}))
    RETURNING known.reply, cardinality(requests) AS asked
), written AS (
    INSERT INTO webchat.reply_lines SELECT reply, before + place, convert_to(line, 'UTF8')
    FROM head JOIN new USING (reply), json_array_elements_text(new.lines) WITH ORDINALITY AS each (line, place)
)
SELECT reply, asked FROM head
"""
_WRITE_FREE, _WRITE = _WRITE_THOSE.format("SKIP LOCKED"), _WRITE_THOSE.format("")
"""The lines are JSON in JSON: an array of bytes takes psycopg three times as long."""


@dataclass
class NewLines:
    """Lines for the log of one reply, which has `before` lines so far; `lease` is the writer's."""

    session: str
    reply: int
    before: int
    lease: int | None
    lines: Sequence[bytes]
    asked: int | None = None
    """The number of requests that the write has found; None if it has not been written."""
    error: BaseException | None = None
    is_done: bool = False
    turn: threading.Lock = field(default_factory=threading.Lock)
    """Held until these lines are written, or their thread is to write."""

    def record(self) -> dict[str, Any]:
        place = {"session": self.session, "reply": self.reply, "before": self.before, "lease": self.lease}
        return {**place, "lines": [line.decode() for line in self.lines]}


class LogWriter:
    """Runs one statement at a time: each costs this process a quarter of a millisecond, and PostgreSQL a sync.

    The thread that writes takes along what other threads wait to write. Locked rows are skipped; each skipped write is
    then retried alone, and waits for its row.
    """

    def __init__(self, database: Database) -> None:
        self._database, self.interval = database, INTERVAL
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what other threads wait to write: after a fork these belong to the parent."""
        self._guard, self._is_writing = threading.Lock(), False
        self.waiting: list[NewLines] = []
        self._began, self._alone = float("-inf"), 0
        """When the last statement began, and the thread that wrote it, if it had no other's lines."""

    def write(self, new: NewLines) -> int | None:
        """Write the lines; returns the number of requests to the reply's writer.

        None if nothing was written, because the log has changed or the lease is lost. Raises OSError.
        """
        new.turn.acquire()
        with self._guard:
            self.waiting.append(new)
            must_wait, self._is_writing = self._is_writing, True
        if must_wait:
            new.turn.acquire()
        if not new.is_done:
            self._write_waiting()
        if new.asked is None and not (new.error and _is_away(new.error)):
            self._write([new], _WRITE)  # its row may be locked, or the error that of others
        if new.error:
            raise new.error
        return new.asked

    def _write_waiting(self) -> None:
        thread = threading.get_ident()
        if self._alone != thread:
            time.sleep(max(0.0, self._began + self.interval - time.monotonic()))
        self._began = time.monotonic()
        with self._guard:
            some, self.waiting = self.waiting[:MOST], self.waiting[MOST:]
        self._alone = thread if len(some) == 1 else 0
        self._write(some, _WRITE_FREE)
        with self._guard:
            following = self.waiting[:1]
            self._is_writing = bool(following)
        for new in some:
            new.is_done = True
        for new in (*following, *some):
            new.turn.release()

    def _write(self, some: Sequence[NewLines], statement: LiteralString) -> None:
        for new in some:
            new.error = None
        try:
            records = jsonlines.encode([new.record() for new in some])
            asked = dict(self._database.rows(statement, (records,), again=False))
        except BaseException as error:
            for new in some:
                new.error = error
        else:
            for new in some:
                new.asked = asked.get(new.reply)


def _is_away(error: BaseException) -> bool:
    """Whether all writes must wait for the database."""
    return isinstance(error, StorageAway) and not error.is_refused
