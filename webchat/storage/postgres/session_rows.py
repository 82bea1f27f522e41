"""Converts records of sessions to and from rows of a table. Knows no rule."""

from __future__ import annotations

from collections.abc import Collection, Generator
from dataclasses import replace
from typing import Any, LiteralString

from psycopg import Connection

from webchat.chat.session import Row, WebChatSession, kept_since, session_of
from webchat.chat.times import seconds_of
from webchat.errors import LeaseLost
from webchat.fileutil import jsonlines
from webchat.storage.postgres.database import text
from webchat.storage.protocols import CLAIMED

_READ_AT_ONCE = 500
"""Sessions whose titles are searched in one query."""
_EARLIEST = -1e15
"""A time before all others, for a record without one."""
COLUMNS: LiteralString = "record, is_active, at"
NOTE: LiteralString = """
UPDATE webchat.sessions AS known SET
    moment = greatest(new.seconds, (
        SELECT max(moment) FROM webchat.sessions
        WHERE person = known.person AND NOT imported AND at IS NOT NULL
    )),
    number = nextval('webchat.numbers'), at = new.at, imported = false
FROM unnest(%s::text[], %s::double precision[], %s::text[]) AS new (session_id, seconds, at)
WHERE known.session_id = new.session_id RETURNING known.person
"""
"""A new event is later than all earlier ones of the same person, whatever this server's clock says."""
NOTE_IMPORTS: LiteralString = """
UPDATE webchat.sessions AS known SET
    moment = new.seconds, number = nextval('webchat.numbers'), at = new.at, imported = true
FROM unnest(%s::text[], %s::double precision[], %s::text[]) AS new (session_id, seconds, at)
WHERE known.session_id = new.session_id AND (known.at IS NULL OR known.moment <= new.seconds)
RETURNING known.person
"""
_PUT: LiteralString = """
INSERT INTO webchat.sessions AS known (
    session_id, person, shelf, pinned, begun, is_active, key, folder, deleted, kept_since, moment, number,
    last_active, record
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0, %s, %s)
ON CONFLICT (session_id) DO UPDATE SET
    person = excluded.person, shelf = excluded.shelf, pinned = excluded.pinned, begun = excluded.begun,
    is_active = excluded.is_active, key = excluded.key, folder = excluded.folder, deleted = excluded.deleted,
    kept_since = excluded.kept_since, last_active = excluded.last_active, record = excluded.record,
    moment = CASE WHEN known.at IS NULL THEN excluded.moment ELSE known.moment END
"""


def write(connection: Connection, rows: Collection[Row]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(_PUT, [_values(row) for row in rows])


def _values(row: Row) -> tuple[Any, ...]:
    """A record as a row of the table."""
    if row.get("owner") == CLAIMED:
        blank = (None, "", None, None, _EARLIEST, "")
        return (row["session_id"], "", "claim", False, False, False, *blank, jsonlines.dump(row))
    session = session_of(row)
    key = row.get("key")
    return (
        session.session_id,
        person_of(session.owner),
        "trash" if session.deleted_at else "archive" if session.archived else "list",
        session.pinned,
        session.begun,
        session.is_active,
        text(key) if isinstance(key, str) else None,
        text(session.working_dir),
        number_of(seconds_of(session.deleted_at)) if session.deleted_at else None,
        number_of(kept_since(row)) if session.deleted_at else None,
        number_of(seconds_of(session.last_active)),
        text(session.last_active),
        jsonlines.dump(row),
    )


def row_of(found: tuple[Any, ...]) -> Row:
    """The record of a row.

    Whether a session is current is a separate column, since making another one current changes it.
    """
    row: Row = jsonlines.load(bytes(found[0]))
    if found[1] or "is_active" in row:
        row["is_active"] = found[1]
    return row


def session_from(found: tuple[Any, ...]) -> WebChatSession:
    session = session_of(row_of(found))
    return replace(session, last_active=found[2]) if found[2] else session


def in_order(
    owner: str | None, shelves: Collection[str], folder: str | None, last: int | None
) -> tuple[LiteralString, list[Any]]:
    """The sessions on these shelves, the first `last` of each, read in the index's order."""
    one: LiteralString = f"""(
        SELECT {COLUMNS}, pinned, moment, number, session_id FROM webchat.sessions
        WHERE person = %s AND shelf = %s AND (begun OR is_active) AND (%s::text IS NULL OR folder = %s)
        ORDER BY pinned DESC, moment DESC, number DESC, session_id DESC LIMIT %s
    )"""
    each: LiteralString = " UNION ALL ".join(one for _ in shelves)
    place = None if folder is None else text(folder)
    parameters = [value for shelf in shelves for value in (person_of(owner), shelf, place, place, last)]
    order: LiteralString = "ORDER BY pinned DESC, moment DESC, number DESC, session_id DESC"
    return f"SELECT {COLUMNS} FROM ({each}) AS found {order}", parameters


def trash(owner: str | None, folder: str | None) -> tuple[LiteralString, list[Any]]:
    place = None if folder is None else text(folder)
    return (
        f"""SELECT {COLUMNS} FROM webchat.sessions
        WHERE person = %s AND shelf = 'trash' AND (%s::text IS NULL OR folder = %s)
        ORDER BY deleted DESC, pinned DESC, moment DESC, number DESC, session_id DESC""",
        [person_of(owner), place, place],
    )


def streamed(connection: Connection, statement: LiteralString, parameters: Collection[Any]) -> Generator[Any]:
    with connection.cursor(name="titles") as cursor:
        cursor.itersize = _READ_AT_ONCE
        yield from cursor.execute(statement, [*parameters])


def locked(connection: Connection, session_ids: Collection[str], current_of: str | None = CLAIMED) -> dict[str, Row]:
    """These records and that person's current one, locked until the transaction ends.

    All are locked in the same order, against deadlocks.
    """
    found = connection.execute(
        f"""SELECT session_id, {COLUMNS} FROM webchat.sessions
        WHERE session_id = ANY(%s) OR (person = %s AND is_active) ORDER BY session_id FOR UPDATE""",
        ([*map(text, session_ids)], person_of(current_of)),
    )
    return {row[0]: row_of(row[1:]) for row in found}


def require_claims(connection: Connection, session_ids: Collection[str]) -> None:
    """Lock these records. Raises LeaseLost if not all are claims: another import took them for a crash's."""
    found = connection.execute(
        "SELECT FROM webchat.sessions WHERE session_id = ANY(%s) AND shelf = 'claim' ORDER BY session_id FOR UPDATE",
        ([*session_ids],),
    )
    if len(found.fetchall()) < len(session_ids):
        raise LeaseLost


def one_at_a_time(connection: Connection, owner: str | None) -> None:
    """Until the transaction ends, block others that count this person's sessions or make one of them current."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"webchat {person_of(owner)}",))


def leave_current(connection: Connection, owner: str | None) -> None:
    connection.execute(
        "UPDATE webchat.sessions SET is_active = false WHERE person = %s AND is_active", (person_of(owner),)
    )


def person_of(owner: str | None) -> str:
    return text(owner or "")


def number_of(seconds: float) -> float:
    """A time as a number that the database can compare."""
    return max(seconds, _EARLIEST)
