"""Codex's sessions from ~/.codex/sessions: JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from webchat.archive.foreign import Conversation, Gathered
from webchat.archive.foreign_node import ForeignNode
from webchat.archive.lenient import Table, as_text, first_text, rows, table, text
from webchat.archive.sources.openai_shapes import told
from webchat.chat.agent_tools import called
from webchat.chat.parts import Output, Part, Reasoning, Text, ToolCall

NAME, SPANS_FILE = "Codex", True
_TYPES = ("session_meta", "turn_context", "response_item", "event_msg", "compacted")


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `Source`."""
    found = table(value)
    return found.get("type") in _TYPES and isinstance(found.get("payload"), dict)


def conversations(values: Iterator[Any]) -> Iterator[Conversation]:
    """See `Source`."""
    nodes, head, model, number = Gathered(), table(None), "", 0
    for number, value in enumerate(values):
        found = table(value)
        payload = table(found.get("payload"))
        if found.get("type") == "session_meta":
            head = head or payload
        elif found.get("type") == "turn_context":
            model = text(payload.get("model")) or model
        elif (node := _node(f"line-{number}", str(found.get("type")), payload)) is not None:
            node.time, node.model = found.get("timestamp"), model or None
            nodes.add(node)
    # The person's messages are in events; items of that role also hold what the program adds.
    has_events = any(node.role == "user" and not node.key.endswith("-item") for node in nodes)
    before: str | None = None
    for node in nodes:
        if has_events and node.key.endswith("-item"):
            node.role = ""
        node.parent, before = before, node.key
    folder, made = text(head.get("cwd")), head.get("timestamp")
    yield Conversation("codex", head.get("id"), "", nodes, before, made, folder=folder, content=[number, made])


def _node(key: str, kind: str, payload: Table) -> ForeignNode | None:
    what = text(payload.get("type"))
    if kind == "event_msg":
        said = text(payload.get("message"))
        return ForeignNode(key, None, "user", said) if what == "user_message" and said else None
    if kind != "response_item":
        return None
    if what == "message" and payload.get("role") == "user":
        said = told(payload.get("content"))
        return None if said.lstrip().startswith("<") else ForeignNode(f"{key}-item", None, "user", said)
    parts = tuple(_parts(key, what, payload))
    return ForeignNode(key, None, "assistant", parts=parts) if parts else None


def _parts(key: str, what: str, payload: Table) -> Iterator[Part]:
    call = first_text(payload, "call_id", "id") or key
    if what == "message" and payload.get("role") == "assistant":
        if (said := told(payload.get("content"))).strip():
            yield Text(said)
    elif what == "reasoning":
        thoughts = [text(row.get("text")) for row in (*rows(payload.get("summary")), *rows(payload.get("content")))]
        if any(thoughts):
            yield Reasoning("\n\n".join(filter(None, thoughts)))
    elif what in ("function_call", "custom_tool_call", "local_shell_call", "web_search_call"):
        given = _decoded(payload.get("arguments", payload.get("input", payload.get("action"))))
        yield replace(called(call, text(payload.get("name")) or what.removesuffix("_call"), given), status="done")
    elif what.endswith("_output"):
        found = _decoded(payload.get("output"))
        output = text(table(found).get("output")) or told(found) or as_text(found)
        is_bad = table(table(found).get("metadata")).get("exit_code") not in (None, 0)
        blocks = (Output(output),) if output.strip() else ()
        yield ToolCall(call, "tool", "other", "failed" if is_bad else "done", output=blocks)


def _decoded(value: object) -> object:
    """A value that may be JSON in a string."""
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return value
    try:
        found: object = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found
