"""The database of Simon Willison's llm, logs.db: threads of turns, and the tables of older versions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from tempfile import NamedTemporaryFile
from typing import IO, Any

from webchat.archive.bounds import PIECE, Bounds
from webchat.archive.brought import Unreadable
from webchat.archive.foreign import Conversation, Gathered
from webchat.archive.foreign_node import ForeignNode
from webchat.archive.lenient import Table, as_text, first_text, table, text
from webchat.archive.sources import llm_json
from webchat.chat.parts import Output, Part, Reasoning, Text, ToolCall, ToolStatus

NAME = "llm's logs.db"
STEPS, MOST_STEPS = 100_000, 20_000
"""Steps of a query between two checks, and the most checks."""
MOST_MESSAGES = 100_000
"""The most turns of one thread."""
_NEEDED = ({"threads", "turns", "messages", "parts"}, {"conversations", "responses"})


def recognises(head: bytes) -> bool:
    """See `FileSource`."""
    return head.startswith(b"SQLite format 3\0")


def conversations(file: IO[bytes], bounds: Bounds) -> Iterator[Conversation]:
    """See `FileSource`."""
    try:
        with _opened(file) as database:
            # A view or virtual table is not one of llm's, and might run anything.
            rows = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
            tables = {name for name, sql in rows if str(sql).upper().startswith("CREATE TABLE")}
            if not any(needed <= tables for needed in _NEEDED):
                raise Unreadable("it is a database of an unknown program")
            if _NEEDED[0] <= tables:
                yield from _threads(database)
            if _NEEDED[1] <= tables:
                yield from llm_json.conversations(_responses(database))
    except sqlite3.Error as error:
        raise Unreadable("the database is damaged or of an unknown version") from error


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[sqlite3.Connection]:
    """A copy of the database, read-only and limited in steps."""
    with NamedTemporaryFile(suffix=".db") as copy:
        while piece := file.read(PIECE):
            copy.write(piece)
        copy.flush()
        with closing(sqlite3.connect(f"file:{copy.name}?mode=ro&immutable=1", uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            database.row_factory = sqlite3.Row
            left = iter(range(MOST_STEPS))
            database.set_progress_handler(lambda: next(left, None) is None, STEPS)
            yield database


def _threads(database: sqlite3.Connection) -> Iterator[Conversation]:
    for thread in database.execute("SELECT * FROM threads ORDER BY datetime_utc, id").fetchall():
        yield _thread(database, table(dict(thread)))


def _thread(database: sqlite3.Connection, thread: Table) -> Conversation:
    """All messages of the thread's turns, up to the first."""
    nodes, system, seen = Gathered(), "", set[str]()
    query = "SELECT * FROM turns WHERE thread_id IS ? ORDER BY datetime_utc, id"
    turns = [table(dict(turn)) for turn in database.execute(query, (thread.get("id"),)).fetchall()]
    # They get the names of `llm logs --json`, so that both give the same conversation.
    names = {text(turn.get("parent_message_hash")): f"{text(turn.get('id'))}-q" for turn in turns}
    names |= {text(turn.get("tip_message_hash")): text(turn.get("id")) for turn in turns}
    for turn in turns:
        here = text(turn.get("tip_message_hash"))
        while here and here not in seen and len(seen) < MOST_MESSAGES:
            seen.add(here)
            message = database.execute("SELECT * FROM messages WHERE hash = ?", (here,)).fetchone()
            if message is None:
                break
            node = _node(database, table(dict(message)), turn)
            system = system or (node.content if node.role == "system" else "")
            here, node.key, node.parent = (
                node.parent or "",
                names.get(here, here),
                names.get(node.parent or "", node.parent),
            )
            nodes.add(node)
    last = names.get(text(thread.get("tip_message_hash")))
    made, title = thread.get("datetime_utc"), text(thread.get("name"))
    return Conversation("llm", text(thread.get("id")), title, nodes, last, made, system_prompt=system)


def _node(database: sqlite3.Connection, message: Table, turn: Table) -> ForeignNode:
    key, role = text(message.get("hash")), text(message.get("role"))
    node = ForeignNode(key, text(message.get("parent_hash")) or None, time=turn.get("datetime_utc"))
    query = "SELECT * FROM parts WHERE message_hash = ? ORDER BY position"
    parts = [_part(database, key, table(dict(row))) for row in database.execute(query, (key,)).fetchall()]
    if role in ("user", "system"):
        node.role = role
        node.content = "\n\n".join(part.text for part in parts if isinstance(part, Text))
        if results := tuple(part for part in parts if isinstance(part, ToolCall)):
            node.role, node.parts, node.content = "assistant", results, ""
    else:
        node.role, node.model = "assistant", text(turn.get("model")) or None
        node.parts = tuple(part for part in parts if part is not None)
    return node


def _part(database: sqlite3.Connection, key: str, row: Table) -> Part | None:
    kind, said, payload = text(row.get("type")), text(row.get("text")), _payload(row.get("payload"))
    call = first_text(payload, "tool_call_id", "id") or f"{key}-{row.get('position')}"
    if kind == "tool_call":
        return ToolCall(call, text(row.get("tool_name")), "other", "done", as_text(payload.get("arguments")))
    if kind == "tool_result":
        output = said or as_text(payload.get("output"))
        status: ToolStatus = "failed" if payload.get("exception") else "done"
        return ToolCall(call, text(row.get("tool_name")), "other", status, "", (Output(output),) if output else ())
    query = """SELECT f.content FROM part_fragments p JOIN fragments f ON f.id = p.fragment_id WHERE p.part_id = ?
        ORDER BY p."order" """
    said = said or "\n\n".join(text(found[0]) for found in database.execute(query, (row.get("id"),)).fetchall())
    if kind == "attachment":
        return Text(_attachment(database, payload))
    if not said.strip():
        return None
    return Reasoning(said) if kind == "reasoning" else Text(said)


def _attachment(database: sqlite3.Connection, payload: Table) -> str:
    query = "SELECT type, path, url FROM attachments WHERE id IS ?"
    found = database.execute(query, (text(table(payload.get("attachment")).get("id")),)).fetchone()
    return llm_json.attachment(table(dict(found or {})))


def _payload(found: object) -> Table:
    try:
        return table(json.loads(text(found) or "{}"))
    except (ValueError, RecursionError):
        return table(None)


def _responses(database: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """The rows of older versions, in the shape of `llm logs --json`."""
    query = """SELECT r.id, r.conversation_id, c.name AS conversation_name, r.model, r.datetime_utc, r.prompt, r.system,
        r.response FROM responses r LEFT JOIN conversations c ON c.id = r.conversation_id ORDER BY r.datetime_utc"""
    return map(dict, database.execute(query))
