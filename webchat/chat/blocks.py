"""Message contents given as lists of blocks, as in model APIs and Amplifier's transcripts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webchat.chat.agent_tools import as_json
from webchat.chat.part_records import records_of
from webchat.chat.parts import Part, Reasoning, Text, ToolCall

_TEXTS = ("text", "input_text", "output_text")


def without_blocks(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message's record with its list of blocks as plain text; unchanged if its content is not a list.

    Unknown blocks are left out. Each text becomes a paragraph.
    """
    rows = record.get("content")
    if not isinstance(rows, list):
        return record
    parts: list[Part] = []
    for row in rows:
        part = _part(row) if isinstance(row, Mapping) else None
        if isinstance(part, Text) and any(isinstance(known, Text) for known in parts):
            part = Text(f"\n\n{part.text}")
        parts += [part] if part else []
    if not parts:
        return record
    text = "".join(part.text for part in parts if isinstance(part, Text))
    reasoning = "".join(part.text for part in parts if isinstance(part, Reasoning))
    # A message without parts also has its reasoning before its text.
    order = records_of(parts) if any(isinstance(part, ToolCall) for part in parts) else None
    return {**record, "content": text, "reasoning": reasoning, "parts": order}


def _part(row: Mapping[str, Any]) -> Part | None:
    kind = row.get("type")
    if kind in _TEXTS:
        text = _text(row, "text")
        return Text(text) if text.strip() else None
    if kind in ("thinking", "reasoning"):
        text = _text(row, "thinking") or _text(row, "text")
        return Reasoning(text) if text.strip() else None
    if kind in ("tool_call", "tool_use"):
        given = row.get("input", row.get("arguments"))
        shown = given if isinstance(given, str) else as_json(given)
        # Its result is in another row, if it was recorded at all; either way the call has ended.
        return ToolCall(_text(row, "id") or "call", _text(row, "name") or "tool", status="done", input=shown)
    return None


def _text(row: Mapping[str, Any], name: str) -> str:
    found = row.get(name)
    return found if isinstance(found, str) else ""
