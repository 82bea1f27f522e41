"""Claude Code's rows. Format as of November 2026, from public parsers and files; unknown rows are ignored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

from webchat.agent_logs.values import PICTURE, Row, Step, call_of, result_of, stated, text_of
from webchat.chat.parts import Note, Part, Reasoning, Text

_NOT_SAID = ("<local-command-", "<system-reminder", "<bash-stdout", "<task-notification")
_INTERRUPTED = "[Request interrupted by user"
TITLES = {"custom-title": "customTitle", "ai-title": "aiTitle", "summary": "summary"}
"""The types of rows that name a session, by precedence, and their fields."""


def parent_of(row: Row) -> str:
    """The id of the row before it on its branch; "" if it is the first."""
    return stated(row, "parentUuid") or stated(row, "logicalParentUuid")


def message_of(row: Row) -> Row:
    """The message in a row, empty if there is none."""
    found = row.get("message")
    return found if isinstance(found, dict) else {}


def said_in(row: Row) -> str:
    """The person's message in this row, with a line for each picture; "" if there is none."""
    if row.get("type") != "user" or row.get("isMeta") or row.get("isCompactSummary"):
        return ""
    content = message_of(row).get("content")
    lines: list[str] = []
    if isinstance(content, list):
        lines = [PICTURE for block in content if _is(block, "image")]
        content = [block for block in content if _is(block, "text")]
    text = text_of(content).strip()
    command = _between(text, "<command-name>", "</command-name>")
    if command:
        return f"{command} {_between(text, '<command-args>', '</command-args>')}".strip()
    return "" if text.startswith((*_NOT_SAID, _INTERRUPTED)) else "\n\n".join(filter(None, (text, *lines)))


def _is(block: object, kind: str) -> TypeGuard[Row]:
    return isinstance(block, dict) and block.get("type") == kind


def _between(text: str, begin: str, end: str) -> str:
    """The text between these two marks; "" if they are missing."""
    _, _, rest = text.partition(begin)
    found, closed, _ = rest.partition(end)
    return found.strip() if closed else ""


def steps(row: Row) -> Iterator[Step]:
    """The content of a row of the user or the assistant."""
    content = message_of(row).get("content")
    blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
    if row.get("type") == "assistant":
        yield from filter(None, map(_part, blocks))
        return
    for block in blocks:
        if _is(block, "tool_result"):
            yield result_of(stated(block, "tool_use_id"), _results(block), failed=block.get("is_error") is True)
    if said := said_in(row):
        yield said
    elif text_of(content).startswith(_INTERRUPTED):
        yield Note("Interrupted.")


def model_in(row: Row) -> str | None:
    """The model of an answer's row."""
    model = stated(message_of(row), "model") if row.get("type") == "assistant" else ""
    return model if model not in ("", "<synthetic>") else None


def _part(block: object) -> Part | None:
    if _is(block, "text"):
        return Text(stated(block, "text"))
    if _is(block, "thinking"):
        return Reasoning(stated(block, "thinking"))
    if _is(block, "tool_use") or _is(block, "server_tool_use"):
        return call_of(stated(block, "id"), stated(block, "name"), block.get("input"))
    return None


def _results(block: Row) -> object:
    """The tool's results, with a line for each picture."""
    content = block.get("content")
    return [PICTURE if _is(part, "image") else part for part in content] if isinstance(content, list) else content
