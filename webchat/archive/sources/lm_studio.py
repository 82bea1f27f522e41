"""LM Studio's conversations: one *.conversation.json each, with all versions of each message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webchat.archive.foreign import Conversation
from webchat.archive.foreign_node import ForeignNode, line_and_picture
from webchat.archive.lenient import Table, as_text, first_text, rows, table, text
from webchat.archive.sources.openai_shapes import text_of
from webchat.chat.parts import Output, Part, Reasoning, Text, ToolCall

NAME, SPANS_FILE = "LM Studio", False


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `SingleSource`."""
    return any("versions" in message for message in rows(table(value).get("messages"))[:3])


def conversation(item: Table) -> Conversation:
    """See `SingleSource`."""
    nodes: list[ForeignNode] = []
    above: str | None = None
    for number, message in enumerate(rows(item.get("messages"))):
        versions = [_node(f"{number}-{place}", above, row) for place, row in enumerate(rows(message.get("versions")))]
        nodes += versions
        chosen = message.get("currentlySelected")
        if versions:
            above = versions[chosen if type(chosen) is int and 0 <= chosen < len(versions) else -1].key
    theirs = first_text(item, "id", "identifier") or (f"{item['createdAt']}" if item.get("createdAt") else None)
    return Conversation(
        "lm-studio",
        theirs,
        text(item.get("name")),
        nodes,
        above,
        item.get("createdAt"),
        pinned=item.get("pinned") is True,
        system_prompt=text(item.get("systemPrompt")),
    )


def _node(key: str, parent: str | None, version: Table) -> ForeignNode:
    node = ForeignNode(key, parent, text(version.get("role")))
    if node.role == "assistant":
        node.model = first_text(table(version.get("senderInfo")), "senderName", "modelKey") or None
        steps = [{"type": "contentBlock", "content": version.get("content")}, *rows(version.get("steps"))]
        node.parts = tuple(part for number, step in enumerate(steps) for part in _parts(f"{key}-{number}", step))
    else:
        content = rows(version.get("content"))
        found = [line_and_picture(*_names(row)) for row in content if row.get("type") == "file"]
        said = text_of([row for row in content if row.get("type") != "file"])
        node.content = "\n\n".join(filter(None, (said, *(line for line, _ in found))))
        node.pictures = tuple(picture for _, pictures in found for picture in pictures)
    return node


def _names(row: Table) -> tuple[str, str]:
    """A file's original name, and its name in LM Studio's folder."""
    return first_text(row, "name", "fileIdentifier"), first_text(row, "fileIdentifier", "name")


def _parts(key: str, step: Table) -> Iterator[Part]:
    for number, row in enumerate(rows(step.get("content"))):
        kind = text(row.get("type"))
        call = str(row.get("callId") or row.get("toolCallRequestId") or f"{key}-{number}")
        if kind == "toolCallRequest":
            yield ToolCall(call, text(row.get("name")), "other", "done", as_text(row.get("parameters")))
        elif kind == "toolCallResult":
            given = as_text(row.get("content"))
            yield ToolCall(call, status="done", output=(Output(given),) if given.strip() else ())
    if (said := text_of(step.get("content"))).strip():
        is_thought = table(step.get("style")).get("type") == "thinking"
        yield Reasoning(said) if is_thought else Text(said)
