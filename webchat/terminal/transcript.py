"""Formats a session's messages as lines for a terminal or a pipe. Knows no command."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from webchat.chat.plain import marked_line
from webchat.chat.session import WORKS_FOR, short_id
from webchat.terminal.safe import safe, safe_line

if TYPE_CHECKING:
    from webchat.terminal.client import Fields

WHO = {"user": "You", "assistant": "Answer"}
ENDED = {"stopped": "stopped", "interrupted": "interrupted", "failed": "failed", "waiting": "…", "streaming": "…"}
TOOL_MARKS = {"done": "✓", "failed": "✗", "running": "…", "pending": "…"}


def message_text(message: Fields) -> str:
    """One message: its author, time and status, then its text; tool calls and questions take a line each."""
    named = [WHO.get(message["role"], safe_line(message["role"])), when(message["created_at"])]
    named += [ENDED[message["status"]]] if message["status"] in ENDED else []
    body = [part for part in map(part_text, message["parts"]) if part.strip()]
    error = [f"({safe_line(message['error'])})"] if message.get("error") else []
    return "\n\n".join([f"## {' · '.join(filter(None, named))}", *body, *error]) + "\n"


def part_text(part: Fields) -> str:
    """One part of a message; reasoning is left out."""
    kind = part["type"]
    if kind == "text":
        return safe(part["text"]).strip("\n")
    if kind == "note":
        return f"({safe_line(part['text'])})"
    if kind in ("file", "picture"):
        return f"[{kind}] {safe_line(part['name'])}, {part['size']:,} bytes"
    if kind == "tool_call":
        return tool_line(part)
    if kind == "plan":
        return "\n".join(f"{TOOL_MARKS[entry['status']]} {safe_line(entry['text'])}" for entry in part["entries"])
    if kind == "permission":
        return question_line(part)
    return ""


def tool_line(part: Fields) -> str:
    return f"{TOOL_MARKS[part['status']]} {safe(marked_line(part['title'] or part['kind']))}"


def question_line(part: Fields) -> str:
    """An agent's question, with its answer if there is one."""
    chosen = [safe_line(option["name"]) for option in part["options"] if option["id"] == part.get("choice")]
    answer = chosen[0] if chosen else "not answered" if part["status"] == "cancelled" else "waits for an answer"
    return f"? {safe(marked_line(part['title']))} – {answer}"


def session_line(row: Fields) -> str:
    """A session in a list or of a search hit: its short id, last activity, title, and what is special about it.

    Another program's agent has its whole id: it is not in the list, in which the beginning of an id is looked up.
    """
    program = [safe_line(row["program"])] if "program" in row else []
    marks = program + [word for word in ("temporary", "pinned", "archived", "waiting") if row.get(word)]
    notes = f"  ({', '.join(marks)})" if marks else ""
    short = short_id(row["session_id"], is_others="program" in row)
    name = safe_line(row["session_id"]) if WORKS_FOR in row else short  # agents of one session begin alike
    return f"{name:8}  {when(row['last_active']):16}  {safe_line(row['description'])}{notes}"


def hit_lines(hit: Fields) -> Iterator[str]:
    """A search hit: its session as in a list, and below it an excerpt."""
    yield session_line(hit)
    yield f"{'':10}{safe_line(hit['text'])}"


def when(time: str) -> str:
    """A stored time in this machine's time zone, to the minute; "" if it is invalid."""
    try:
        moment = datetime.fromisoformat(time)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError):
        return ""
