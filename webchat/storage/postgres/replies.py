"""The logs of replies in flight in PostgreSQL. Knows neither writer nor reader."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

from webchat.chat.message import Message
from webchat.chat.reply import ReplyView, left_behind
from webchat.errors import LeaseLost
from webchat.fileutil import jsonlines
from webchat.limits import drop_oldest
from webchat.observer import timed
from webchat.storage.postgres.database import Database, text
from webchat.storage.postgres.leases import GUARD, PostgresLeases
from webchat.storage.postgres.log_writer import LogWriter, NewLines
from webchat.storage.postgres.transcripts import PostgresTranscripts

CACHED_REPLIES, CACHED_BYTES = 1_000, 64 * 2**20
"""The limits of the cache of parsed logs: their number, and their bytes together."""
LOOK_AGAIN = 2.0
"""Seconds after which a writer checks for requests without a notification."""
_BEGIN: LiteralString = f"""
UPDATE webchat.conversations SET reply = nextval('webchat.numbers'), header = %(header)s, records = 0, requests = '{{}}'
WHERE session_id = %(session)s AND {GUARD} RETURNING reply
"""
_BEGIN_ALONE: LiteralString = """
INSERT INTO webchat.conversations (session_id, reply, header)
VALUES (%(session)s, nextval('webchat.numbers'), %(header)s)
ON CONFLICT (session_id) DO UPDATE
SET reply = excluded.reply, header = excluded.header, records = 0, requests = '{}' RETURNING reply
"""
_TAKE_BACK: LiteralString = f"""
UPDATE webchat.conversations SET reply = nextval('webchat.numbers'), records = %(before)s
WHERE session_id = %(session)s AND reply = %(reply)s AND {GUARD} RETURNING reply
"""
_FORGET_BEHIND: LiteralString = "DELETE FROM webchat.reply_lines WHERE reply = %(reply)s AND number > %(before)s"
_RENAME: LiteralString = "UPDATE webchat.reply_lines SET reply = %(new)s WHERE reply = %(reply)s"
_VIEW: LiteralString = """
SELECT c.reply, c.header, l.number, l.line FROM webchat.conversations AS c
LEFT JOIN webchat.reply_lines AS l ON l.reply = c.reply AND l.number > CASE WHEN c.reply = %s THEN %s ELSE 0 END
WHERE c.session_id = %s AND c.reply IS NOT NULL ORDER BY l.number
"""
_END: LiteralString = f"""
WITH head AS (
    UPDATE webchat.conversations SET reply = NULL, header = NULL, records = 0, requests = '{{}}'
    WHERE session_id = %(session)s AND reply = %(reply)s AND {GUARD} RETURNING session_id
), removed AS (
    DELETE FROM webchat.reply_lines USING head WHERE reply = %(reply)s
)
SELECT session_id FROM head
"""


@dataclass
class _Read:
    """A log as last read. The lock is per session."""

    reply: int = 0
    lines: int = 0
    size: int = 0
    view: ReplyView | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class _Asked:
    """The known requests to a writer of this process."""

    requests: list[Mapping[str, Any]] = field(default_factory=list)
    is_current: bool = False
    looked: float = 0.0


class PostgresReplyLogs:
    """See `webchat.storage.protocols.ReplyLogs`. A write of a server that has lost its lease raises LeaseLost."""

    shares_writes = True

    def __init__(
        self,
        database: Database,
        transcripts: PostgresTranscripts,
        leases: PostgresLeases,
        requested: Callable[[str], None],
    ) -> None:
        """`requested` is called with each session that gets a request: its writer may be in another process."""
        self.database, self.transcripts, self.leases = database, transcripts, leases
        self._requested = requested
        self.writer = LogWriter(database)
        self._guard = threading.Lock()
        """Guards the tables of this process; the database is not read while it is held."""
        self.most_bytes = CACHED_BYTES
        self._views: OrderedDict[str, _Read] = OrderedDict()
        self._asked: dict[str, _Asked] = {}

    def begin(self, session_id: str, header: Mapping[str, Any]) -> PostgresReplyLog:
        lease = self.leases.held(session_id)
        values = {"session": session_id, "header": jsonlines.dump(header), "lease": lease}
        found = self.database.one(_BEGIN_ALONE if lease is None else _BEGIN, values)
        if not found:
            raise LeaseLost
        self._asked[session_id] = _Asked(is_current=True, looked=time.monotonic())
        return PostgresReplyLog(self, session_id, found[0])

    def view(self, session_id: str) -> ReplyView | None:
        with self._guard:
            read = self._views.setdefault(session_id, _Read())
            self._views.move_to_end(session_id)
            # Evict the least recently used replies.
            drop_oldest(self._views, lambda each: each.size, CACHED_REPLIES, self.most_bytes)
        with read.lock:
            rows = self.database.rows(_VIEW, (read.reply, read.lines, text(session_id)))
            if not rows:
                with self._guard:
                    self._views.pop(session_id, None)
                return None
            if read.view is None or rows[0][0] != read.reply:
                read.reply, read.lines, read.size = rows[0][0], 0, 0
                read.view = ReplyView(jsonlines.parse_line(bytes(rows[0][1])))
            for _, _, number, line in rows:
                if line is not None:
                    read.view.take(jsonlines.parse_line(bytes(line)))
                    read.lines, read.size = number, read.size + len(line)
            return read.view

    def sessions(self) -> Collection[str]:
        rows = self.database.rows("SELECT session_id FROM webchat.conversations WHERE reply IS NOT NULL")
        return [row[0] for row in rows]

    def request(self, session_id: str, request: Mapping[str, Any]) -> None:
        self.database.rows(
            "UPDATE webchat.conversations SET requests = requests || %s::bytea WHERE session_id = %s",
            (jsonlines.dump(request), text(session_id)),
        )
        self.was_asked(session_id)
        self._requested(session_id)

    def asked(self, session_ids: Collection[str]) -> Collection[str]:
        """All of them: `requests` knows when to read."""
        return session_ids

    def requests(self, session_id: str) -> Sequence[Mapping[str, Any]]:
        """For a session written here, the database is read only if there may be new requests, or at intervals."""
        asked = self._asked.get(session_id)
        now = time.monotonic()
        if asked and asked.is_current and now - asked.looked < LOOK_AGAIN:
            return asked.requests
        if asked:
            asked.is_current = True  # before reading: a request that comes meanwhile is read next time
            self.leases.require(session_id)
        found = self.database.one(
            "SELECT requests FROM webchat.conversations WHERE session_id = %s", (text(session_id),)
        )
        lines = (jsonlines.parse_line(bytes(line)) for line in found[0]) if found else ()
        requests: list[Mapping[str, Any]] = [record for record in lines if record is not None]
        if asked:
            asked.requests, asked.looked = requests, now
        return requests

    def was_asked(self, session_id: str) -> None:
        """Note that there may be a new request."""
        asked = self._asked.get(session_id)
        if asked:
            asked.is_current = False

    def wrote(self, session_id: str, requests: int) -> None:
        """Note the number of requests that a write has found."""
        asked = self._asked.get(session_id)
        if asked and requests != len(asked.requests):
            asked.is_current = False
        elif asked:
            asked.looked = time.monotonic()

    def settle(self, session_id: str, unsaved: ReplyView | None = None) -> None:
        view = PostgresReplyLogs(self.database, self.transcripts, self.leases, self._requested).view(session_id)
        found = self.database.one("SELECT reply FROM webchat.conversations WHERE session_id = %s", (text(session_id),))
        left = left_behind(view, unsaved, self.transcripts.read(session_id).messages)
        self.end(session_id, found[0] if found else None, left)

    def end(self, session_id: str, reply: int | None, result: tuple[Message, bool] | None) -> None:
        """Remove the log and add its answer to the transcript, atomically. Raises LeaseLost."""
        values = {"session": session_id, "reply": reply, "lease": self.leases.held(session_id)}
        if result:
            self.transcripts.add_reply(session_id, result[0], reply, extends=result[1])
        elif reply is not None and not self.database.rows(_END, values):
            raise LeaseLost
        with self._guard:
            self._views.pop(session_id, None)

    def version(self, session_id: str) -> object:
        found = self.database.one(
            "SELECT reply, records FROM webchat.conversations WHERE session_id = %s AND reply IS NOT NULL",
            (text(session_id),),
        )
        return tuple(found) if found else None

    def let_go(self, session_id: str) -> None:
        """Note that this process no longer writes a reply in the session."""
        self._asked.pop(session_id, None)


class PostgresReplyLog:
    """See `webchat.storage.protocols.ReplyLog`."""

    def __init__(self, logs: PostgresReplyLogs, session_id: str, reply: int) -> None:
        self._logs, self._session_id, self._reply = logs, session_id, reply
        self._written = 0
        self._is_certain = True
        """Whether the log is known to have exactly what was written: a failed write may have reached it."""

    def write(self, *records: Mapping[str, Any]) -> None:
        lines = [jsonlines.dump(record) for record in records]
        self._require_certain()
        self._is_certain = False
        database = self._logs.database
        with timed(database.observer, "reply"):
            asked = database.insist(lambda: self._write(lines))
        self._is_certain = True
        self._written += len(lines)
        self._logs.wrote(self._session_id, asked)

    def _write(self, lines: list[bytes]) -> int:
        """Write the lines if they are not there yet; returns the number of requests."""
        lease = self._logs.leases.held(self._session_id)
        asked = self._logs.writer.write(NewLines(self._session_id, self._reply, self._written, lease, lines))
        if asked is None:
            # The first try may have succeeded, and only the response was lost.
            found = self._logs.database.one(
                "SELECT cardinality(requests) FROM webchat.conversations "
                "WHERE session_id = %s AND reply = %s AND records = %s",
                (self._session_id, self._reply, self._written + len(lines)),
            )
            self._logs.leases.require(self._session_id)
            if found is None:
                raise LeaseLost
            asked = int(found[0])
        return asked

    def _require_certain(self) -> None:
        """Undo what a failed write may have added. The log gets another number, so that its readers start again."""
        if self._is_certain:
            return
        values = {"session": self._session_id, "reply": self._reply, "before": self._written}
        values["lease"] = self._logs.leases.held(self._session_id)
        with self._logs.database.transaction() as connection:
            found = connection.execute(_TAKE_BACK, values).fetchone()
            if found is None:
                raise LeaseLost
            connection.execute(_FORGET_BEHIND, values)
            connection.execute(_RENAME, values | {"new": found[0]})
        self._reply, self._is_certain = found[0], True

    def commit(self, message: Message, *, extends: bool) -> None:
        tried = False

        def commit() -> None:
            nonlocal tried
            before, tried = tried, True
            try:
                self._logs.end(self._session_id, self._reply, (message, extends))
            except LeaseLost:
                if not (before and self._is_committed(message)):
                    raise

        self._logs.database.insist(commit)
        self.leave()

    def _is_committed(self, message: Message) -> bool:
        shown = self._logs.transcripts.read(self._session_id).messages
        return shown.place(message.id) is not None and self._logs.version(self._session_id) is None

    def discard(self) -> None:
        self.leave()
        values = {"session": self._session_id, "reply": self._reply}
        lease = self._logs.leases.held(self._session_id)
        self._logs.database.rows(_END, values | {"lease": lease})

    def leave(self) -> None:
        self._logs.let_go(self._session_id)
