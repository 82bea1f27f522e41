"""The tables, as a list of migrations. A released migration never changes; each change is a new one."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import LiteralString

from psycopg import Connection, errors

from webchat.errors import InvalidInput

log = logging.getLogger(__name__)

_TABLES = """
CREATE SCHEMA webchat;
CREATE SEQUENCE webchat.numbers;

CREATE TABLE webchat.sessions (
    session_id text COLLATE "C" PRIMARY KEY,
    person text COLLATE "C" NOT NULL,    -- whose it is; '' where there is no sign-in
    shelf text NOT NULL,                 -- list, archive, trash; claim: an import has it, and nobody yet
    pinned boolean NOT NULL,
    begun boolean NOT NULL,
    is_active boolean NOT NULL,
    key text COLLATE "C",                -- with which its person made it
    folder text COLLATE "C" NOT NULL,
    deleted double precision,            -- since when it lies in the trash, in seconds since 1970
    kept_since double precision,         -- the same, but never before what was known to be past
    moment double precision NOT NULL,    -- when something last happened in it, in seconds since 1970
    number bigint NOT NULL,              -- counts what happened, so that moments at once have an order
    last_active text COLLATE "C" NOT NULL,   -- as the record says
    at text COLLATE "C",                 -- what the clock said then, ISO 8601; NULL: what the record says
    imported boolean NOT NULL DEFAULT false,
    record bytea NOT NULL                -- JSON, with keys unknown to this version
);
CREATE INDEX sessions_in_order ON webchat.sessions (person, shelf, pinned, moment, number, session_id);
CREATE INDEX sessions_newest_of ON webchat.sessions (person, moment) WHERE NOT imported AND at IS NOT NULL;
CREATE INDEX sessions_newest ON webchat.sessions (moment) WHERE NOT imported AND at IS NOT NULL;
CREATE INDEX sessions_current ON webchat.sessions (person) WHERE is_active;
CREATE INDEX sessions_keyed ON webchat.sessions (person, key) WHERE key IS NOT NULL;
CREATE INDEX sessions_deleted ON webchat.sessions (kept_since) WHERE shelf = 'trash';
CREATE INDEX sessions_claimed ON webchat.sessions (session_id) WHERE shelf = 'claim';

CREATE TABLE webchat.servers (
    id uuid PRIMARY KEY,
    seen timestamptz NOT NULL            -- its last sign of life
);

CREATE TABLE webchat.conversations (
    session_id text COLLATE "C" PRIMARY KEY,   -- or the name of a lock, which begins with a colon
    incarnation bigint NOT NULL DEFAULT nextval('webchat.numbers'),
    lines integer NOT NULL DEFAULT 0,    -- of its transcript
    bytes bigint NOT NULL DEFAULT 0,     -- of its transcript
    said bigint NOT NULL DEFAULT 0,      -- puts the sessions in the order of their last line
    reply bigint,                        -- the reply in flight, or left behind
    header bytea,                        -- the first line of its log
    records integer NOT NULL DEFAULT 0,  -- how many further lines the log has
    requests bytea[] NOT NULL DEFAULT '{}',
    server uuid,                         -- who writes in it, as long as that server lives
    lease bigint
) WITH (fillfactor = 50);
CREATE INDEX conversations_replying ON webchat.conversations (session_id) WHERE reply IS NOT NULL;

CREATE TABLE webchat.lines (
    session_id text COLLATE "C",
    number integer,
    line bytea NOT NULL,
    PRIMARY KEY (session_id, number)
);
CREATE TABLE webchat.reply_lines (
    reply bigint,
    number integer,
    line bytea NOT NULL,
    PRIMARY KEY (reply, number)
);
CREATE TABLE webchat.queues (
    session_id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    items bytea NOT NULL                 -- JSON Lines
);
CREATE TABLE webchat.words (
    session_id text COLLATE "C",
    message_id text COLLATE "C",
    number integer NOT NULL,             -- of the message's line
    extended boolean NOT NULL DEFAULT false,
    words text COLLATE "C" NOT NULL,     -- as they are compared, a blank before and behind each
    PRIMARY KEY (session_id, message_id)
);
CREATE TABLE webchat.documents (
    name text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    body bytea NOT NULL
);
"""
_PICTURES = """
CREATE TABLE webchat.pictures (
    key text COLLATE "C" PRIMARY KEY,    -- the SHA-256 of its bytes, and the end of a file's name
    data bytea NOT NULL
);
ALTER TABLE webchat.pictures ALTER COLUMN data SET STORAGE EXTERNAL;   -- they are compressed already
CREATE TABLE webchat.session_pictures (
    session_id text COLLATE "C",
    key text COLLATE "C" REFERENCES webchat.pictures,
    size bigint NOT NULL,
    PRIMARY KEY (session_id, key)
);
CREATE INDEX session_pictures_by_key ON webchat.session_pictures (key);
"""
_REINDEXING = """
CREATE TABLE webchat.reindexing (        -- the sessions whose words were written before symbols were among them
    session_id text COLLATE "C" PRIMARY KEY
);
INSERT INTO webchat.reindexing SELECT session_id FROM webchat.conversations WHERE lines > 0;
"""
_WRITTEN_EARLIER = """
CREATE FUNCTION webchat.reindex() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO webchat.reindexing VALUES (NEW.session_id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER reindex AFTER INSERT OR UPDATE OF words ON webchat.words FOR EACH ROW
    WHEN (current_setting('webchat.folding', true) IS DISTINCT FROM '1') EXECUTE FUNCTION webchat.reindex();
"""
"""Servers of earlier versions may go on after a migration: what they write is reindexed."""
_TORN = "ALTER TABLE webchat.conversations ADD COLUMN IF NOT EXISTS torn integer"
"""The number of the line without a line feed, which an import had at its end. Lines that follow end it."""
FOLDING: LiteralString = "1"
"""The version of `webchat.chat.folding`, as connections pass it and the trigger expects it. After a change of it, a
migration lists all sessions, and has the trigger expect the next number."""
STEPS: tuple[str, ...] = (_TABLES, _PICTURES, _REINDEXING, _WRITTEN_EARLIER, _TORN)
"""The SQL of each migration."""
LOCK_PATIENCE, AGAIN = 3, 5
"""Seconds that a step waits for a table, while all others wait behind it, and until the next try."""
_ALONE = 0x77656263
"""The advisory lock, so that one server at a time migrates."""


def migrate(
    connection: Connection, steps: Sequence[str] = STEPS, patience: float = LOCK_PATIENCE, again: float = AGAIN
) -> None:
    """Migrate the tables to this version. Raises InvalidInput if a later version has created them.

    A few lines instead of a tool: migrations only go forward and are run by the first server that needs them, and a
    tool would be larger than this package. `connection` should have no time limits.
    """
    while _steps_left(connection, steps):
        try:
            with connection.transaction():
                _wait_for_others(connection)
                connection.execute(f"SET LOCAL lock_timeout = '{patience}s'")
                _take_steps(connection, steps)
        except errors.LockNotAvailable:
            log.warning("the database's tables are in use, by a backup perhaps; trying again in %d seconds", again)
            time.sleep(again)


def _wait_for_others(connection: Connection) -> None:
    """Be the only server that migrates, until the transaction ends."""
    found = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_ALONE,)).fetchone()
    if not found or not found[0]:
        log.info("another server is migrating the database; waiting for it")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_ALONE,))


def _take_steps(connection: Connection, steps: Sequence[str]) -> None:
    left = _steps_left(connection, steps)
    for number, step in enumerate(left, len(steps) - len(left) + 1):
        log.info("migrating the database: step %d of %d", number, len(steps))
        connection.execute(step.encode())
        connection.execute("CREATE TABLE IF NOT EXISTS webchat.schema (version integer NOT NULL)")
        connection.execute("DELETE FROM webchat.schema")
        connection.execute("INSERT INTO webchat.schema VALUES (%s)", (number,))


def _steps_left(connection: Connection, steps: Sequence[str]) -> Sequence[str]:
    version = _version(connection)
    if version > len(steps):
        raise InvalidInput(
            f"A later version of the chat has made the database (schema {version}, this one knows {len(steps)}). "
            "Install that version here too."
        )
    return steps[version:]


def _version(connection: Connection) -> int:
    # Not `to_regclass`: within a transaction that has waited for another server it would not see what that one made.
    found = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'webchat' AND tablename = 'schema')"
    ).fetchone()
    if not found or not found[0]:
        return 0
    row = connection.execute("SELECT max(version) FROM webchat.schema").fetchone()
    return int(row[0] or 0) if row else 0
