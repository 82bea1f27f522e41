"""Mistral's export: an unordered list of messages for each chat."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from webchat.archive.foreign import Conversation, Gathered
from webchat.archive.foreign_node import ForeignNode
from webchat.archive.lenient import Table, rows, table, text
from webchat.archive.sources.openai_shapes import parts, text_of

NAME, SPANS_FILE = "Mistral", False


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `GroupingSource`."""
    found = table(value)
    return all(isinstance(found.get(key), str) for key in ("chatId", "role", "createdAt"))


def conversations(values: Iterator[Any]) -> Iterator[Conversation]:
    """See `GroupingSource`."""
    chats: dict[str, Gathered] = {}
    for number, value in enumerate(values):
        chats.setdefault(text(value.get("chatId")), Gathered()).add(_node(f"message-{number}", value))
    for name, found in chats.items():
        nodes = sorted(found, key=lambda node: str(node.time))
        for before, node in pairwise(nodes):
            node.parent = before.key
        last = nodes[-1].key if nodes else None
        yield Conversation("mistral", name, "", nodes, last, too_large=found.is_too_large)


def _node(name: str, message: Table) -> ForeignNode:
    node = ForeignNode(text(message.get("id")) or name, None, text(message.get("role")), time=message.get("createdAt"))
    said = {"content": text_of(message.get("content")) or text_of(rows(message.get("contentChunks")))}
    if node.role == "assistant":
        node.parts, node.model = tuple(parts(node.key, {**message, **said})), text(message.get("model")) or None
    else:
        names = [text(table(row).get("name")) for row in rows(message.get("files"))]
        node.content = "\n\n".join(
            filter(None, (said["content"], *(f"[file: {name[:200]}]" for name in names if name)))
        )
    return node
