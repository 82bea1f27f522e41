"""The SQL that adds lines to a transcript and their words to the search index, in one statement."""

from __future__ import annotations

from typing import LiteralString

from webchat.storage.postgres.leases import GUARD

_GROWS: LiteralString = "lines = lines + %(count)s, bytes = bytes + %(bytes)s, said = nextval('webchat.numbers')"
_GROW: LiteralString = f"""
UPDATE webchat.conversations SET {_GROWS}
WHERE session_id = %(session)s AND {GUARD} RETURNING lines - %(count)s AS start
"""
_GROW_AND_END: LiteralString = f"""
UPDATE webchat.conversations SET {_GROWS}, reply = NULL, header = NULL, records = 0, requests = '{{}}'
WHERE session_id = %(session)s AND reply = %(reply)s AND {GUARD} RETURNING lines - %(count)s AS start
"""
_GROW_OR_BEGIN: LiteralString = """
INSERT INTO webchat.conversations AS known (session_id, lines, bytes, said)
VALUES (%(session)s, %(count)s, %(bytes)s, nextval('webchat.numbers'))
ON CONFLICT (session_id) DO UPDATE
SET lines = known.lines + excluded.lines, bytes = known.bytes + excluded.bytes, said = excluded.said
RETURNING lines - %(count)s AS start
"""
_ADD: LiteralString = """
WITH head AS ({}), added AS (
    INSERT INTO webchat.lines SELECT %(session)s, head.start + place, line
    FROM head, unnest(%(lines)s::bytea[]) WITH ORDINALITY AS new (line, place)
), indexed AS (
    INSERT INTO webchat.words (session_id, message_id, number, words) SELECT %(session)s, id, head.start + place, words
    FROM head, unnest(%(ids)s::text[], %(words)s::text[]) WITH ORDINALITY AS new (id, words, place)
){}
SELECT start FROM head
"""
_REMOVE_LOG: LiteralString = ", ended AS (DELETE FROM webchat.reply_lines USING head WHERE reply = %(reply)s)"
ADD_IF_LEASED, ADD_OR_BEGIN = _ADD.format(_GROW, ""), _ADD.format(_GROW_OR_BEGIN, "")
ADD_AND_END = _ADD.format(_GROW_AND_END, _REMOVE_LOG)
"""All in one statement: each costs the server and PostgreSQL a quarter of a millisecond."""
