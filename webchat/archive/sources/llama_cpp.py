"""Exports of llama.cpp's web page: JSON Lines, or the older {conv, messages}."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webchat.archive.foreign import Conversation, Gathered
from webchat.archive.foreign_node import ForeignNode, ForeignPicture
from webchat.archive.lenient import Table, first_text, rows, table, text
from webchat.archive.sources import openai_shapes
from webchat.chat.message import File

NAME, SPANS_FILE = "llama.cpp", True


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `GroupingSource`."""
    found = table(value)
    is_session = found.get("type") == "session" and "harness" in found
    return is_session or (isinstance(found.get("conv"), dict) and "messages" in found)


def conversations(values: Iterator[Any]) -> Iterator[Conversation]:
    """See `GroupingSource`."""
    head: Table | None = None
    nodes = Gathered()
    for value in values:
        found = table(value)
        if found.get("type") == "message":
            nodes.add(_node(table(found.get("message")), len(nodes)))
            continue
        if head is not None:
            yield _conversation(head, nodes)
        nodes = Gathered()
        head = found if found.get("type") == "session" else None
        if isinstance(found.get("conv"), dict):
            for message in rows(found.get("messages")):
                nodes.add(_node(message, len(nodes)))
            yield _conversation(table(found.get("conv")), nodes)
    if head is not None:
        yield _conversation(head, nodes)


def _conversation(head: Table, nodes: Gathered) -> Conversation:
    systems = [node.content for node in nodes if node.role == "system"]
    return Conversation(
        "llama.cpp",
        head.get("id"),
        text(head.get("name")),
        nodes,
        text(head.get("currNode")) or (nodes[-1].key if len(nodes) else None),
        pinned=head.get("pinned") is True,
        system_prompt=next(iter(systems), ""),
        folder=text(head.get("cwd")),
    )


def _node(message: Table, number: int) -> ForeignNode:
    key, parent = text(message.get("id")) or f"message-{number}", text(message.get("parent")) or None
    if message.get("type") == "root":
        return ForeignNode(key, parent)
    node = openai_shapes.node(key, parent, message)
    for extra in rows(message.get("extra")):
        name, content = text(extra.get("name")) or "file.txt", text(extra.get("content"))
        if content:
            node.files = (*node.files, File(name, content))
        elif node.role == "user" and first_text(extra, "base64Url", "base64Data"):
            is_picture = "image" in text(extra.get("type")).lower()
            shown = f"[{'picture' if is_picture else 'file'}: {name[:200]}]"
            node.content += f"\n\n{shown}"
            if is_picture:
                address = first_text(extra, "base64Url", "base64Data")
                node.pictures = (*node.pictures, ForeignPicture(shown, name[:200], address))
    return node
