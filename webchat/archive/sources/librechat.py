"""LibreChat's export: one conversation, its messages in a row or as a tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webchat.archive.foreign import Conversation
from webchat.archive.foreign_node import ForeignNode, placeholder
from webchat.archive.lenient import Table, as_text, first_text, rows, table, text
from webchat.archive.sources import librechat_text
from webchat.chat.parts import Output, Part, Reasoning, Text, ToolCall

NAME, SPANS_FILE = "LibreChat", False


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `SingleSource`."""
    found = table(value)
    return "conversationId" in found and any(isinstance(found.get(key), list) for key in ("messages", "messagesTree"))


def conversation(item: Table) -> Conversation:
    """See `SingleSource`."""
    options = table(item.get("options"))
    nodes = [_node(message, number) for number, message in enumerate(_messages(item))]
    return Conversation(
        "librechat",
        item.get("conversationId"),
        text(item.get("title")),
        nodes,
        nodes[-1].key if nodes else None,
        system_prompt=first_text(options, "promptPrefix", "system"),
    )


def _messages(item: Table) -> Iterator[Table]:
    """All messages, each before its children."""
    waiting = [*reversed(rows(item.get("messages")) or rows(item.get("messagesTree")))]
    while waiting:
        message = waiting.pop()
        yield message
        waiting += reversed(rows(message.get("children")))


def _node(message: Table, number: int) -> ForeignNode:
    key, model = text(message.get("messageId")) or f"message-{number}", text(message.get("model"))
    node = ForeignNode(key, text(message.get("parentMessageId")) or None, time=message.get("createdAt"))
    said = _text_in(message.get("text"))
    parts = tuple(
        part for place, row in enumerate(rows(message.get("content"))) for part in _parts(f"{key}-{place}", row)
    )
    attached = [*rows(message.get("files")), *rows(message.get("attachments"))]
    names = dict.fromkeys(text(row.get("filename")) for row in attached)
    lines = [placeholder("file", name) for name in names if name]
    if message.get("isCreatedByUser") is True:
        shown = said or "\n\n".join(part.text for part in parts if isinstance(part, Text))
        node.role, node.content = "user", "\n\n".join(filter(None, (shown, *lines)))
        return node
    node.role, node.model = "assistant", model or None
    if message.get("error") is True:
        node.error = said or "The answer broke off."
    else:
        node.parts, node.files = librechat_text.read((*(parts or (Text(said),)), *map(Text, lines)), message)
    return node


def _text_in(found: object) -> str:
    return text(found) or text(table(found).get("value"))


def _parts(name: str, row: Table) -> tuple[Part, ...]:
    kind = row.get("type")
    if kind == "tool_call":
        call = table(row.get("tool_call"))
        output = as_text(call.get("output"))
        blocks = (Output(output),) if output.strip() else ()
        given = as_text(call.get("args"))
        return (ToolCall(text(call.get("id")) or name, text(call.get("name")), "other", "done", given, blocks),)
    said = _text_in(row.get("think") if kind == "think" else row.get("text"))
    if not said.strip():
        return ()
    return (Reasoning(said),) if kind == "think" else (Text(said),)
