"""Open WebUI's export: the list saved by its page, or the lines of its API."""

from __future__ import annotations

import re
from typing import Any

from webchat.archive.foreign import Conversation, sources_of
from webchat.archive.foreign_node import ForeignNode, ForeignPicture, placeholder
from webchat.archive.lenient import Table, first_text, rows, table, text
from webchat.archive.sources import openai_shapes
from webchat.archive.sources.open_webui_answer import answer_parts
from webchat.archive.sources.openai_shapes import text_of
from webchat.chat.message import File
from webchat.chat.parts import Part, Text

NAME, SPANS_FILE = "Open WebUI", False


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `SingleSource`."""
    chat = _chat(table(value))
    is_whole = isinstance(table(value).get("chat"), dict) and isinstance(chat.get("messages"), list)
    return is_whole or isinstance(table(chat.get("history")).get("messages"), dict | list)


def conversation(item: Table) -> Conversation:
    """See `SingleSource`."""
    chat = _chat(item)
    history = table(chat.get("history"))
    messages = table(history.get("messages"))
    nodes = [_node(str(key), message) for key, message in messages.items() if isinstance(message, dict)]
    current = text(history.get("currentId")) or None
    if not nodes:
        nodes = _in_a_row(rows(chat.get("messages")))
        current = nodes[-1].key if nodes else None
    return Conversation(
        "open-webui",
        item.get("id"),
        first_text(item, "title") or first_text(chat, "title"),
        nodes,
        current,
        item.get("created_at") or chat.get("timestamp"),
        pinned=item.get("pinned") is True,
        archived=item.get("archived") is True,
        system_prompt=text(table(chat.get("params")).get("system")) or text(chat.get("system")),
    )


def _chat(item: Table) -> Table:
    """The conversation itself; in an export of a single one, the item is the conversation."""
    return table(item.get("chat")) or item


def _in_a_row(messages: list[Table]) -> list[ForeignNode]:
    nodes: list[ForeignNode] = []
    for number, message in enumerate(messages):
        node = _node(text(message.get("id")) or f"message-{number}", message)
        node.parent = node.parent or (nodes[-1].key if nodes else None)
        nodes.append(node)
    return nodes


def _node(key: str, message: Table) -> ForeignNode:
    role, model = text(message.get("role")), text(message.get("model"))
    node = ForeignNode(key, text(message.get("parentId")) or None, role, time=message.get("timestamp"))
    node.files, others = _files(message)
    pictures = [row for row in rows(message.get("files")) if row.get("type") == "image"]
    if role != "assistant":
        node.content = text_of(message.get("content"))
        node.pictures = (*openai_shapes.pictures(message.get("content")), *map(_picture, pictures))
        shown = (_picture(row).shown for row in pictures)
        node.content = "\n\n".join(filter(None, (node.content, *shown, *others)))
        return node
    node.pictures = tuple(map(_picture, pictures))
    shown = (picture.shown for picture in node.pictures)
    parts: tuple[Part, ...] = (*answer_parts(key, message), *map(Text, (*shown, *others)), *_sources(message))
    is_text = len(parts) == 1 and isinstance(parts[0], Text)
    node.content, node.parts = (parts[0].text, ()) if is_text and isinstance(parts[0], Text) else ("", parts)
    node.model, node.error = model or None, _error(message.get("error"))
    return node


def _picture(row: Table) -> ForeignPicture:
    name = text(row.get("name"))[:200]
    return ForeignPicture(placeholder("picture", name), name, text(row.get("url")))


def _error(found: object) -> str:
    """Why an answer failed, in the server's words if there are any."""
    if not found:
        return ""
    return text(found) or first_text(table(found), "content", "message", "detail") or "The answer broke off."


def _files(message: Table) -> tuple[tuple[File, ...], list[str]]:
    """The texts of files, and the lines of those whose text is missing. Pictures are neither."""
    files, others = list[File](), list[str]()
    for row in rows(message.get("files")):
        file = table(row.get("file"))
        name = first_text(row, "name") or first_text(file, "filename")
        if content := text(table(file.get("data")).get("content")):
            files.append(File(name or "file.txt", content))
        elif name and row.get("type") != "image":
            others.append(placeholder("file", name))
    return tuple(files), others


def _sources(message: Table) -> tuple[Part, ...]:
    """The sources to which the bracketed numbers in an answer refer."""
    found = []
    for row in rows(message.get("sources")) or rows(message.get("citations")):
        source, about = table(row.get("source")), [*rows(row.get("metadata")), {}][0]
        url = next((url for url in (*_urls(source), *_urls(about)) if re.match("https?://", url)), "")
        name = first_text(source, "name") or first_text(about, "name", "title", "source")
        found.append((name, url))
    return sources_of(found)


def _urls(found: Table) -> tuple[str, ...]:
    return tuple(text(found.get(key)) for key in ("url", "source", "name", "id"))
