"""The export of Hugging Face's chat-ui: a list of conversations with their messages' ancestors."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from webchat.archive.foreign import Conversation
from webchat.archive.foreign_node import ForeignNode, ForeignPicture, line_and_picture, placeholder
from webchat.archive.lenient import Table, rows, table, text, time_of
from webchat.chat.message import File
from webchat.chat.parts import Reasoning, Text

NAME, SPANS_FILE = "Hugging Face chat-ui", False


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `SingleSource`."""
    messages = rows(table(value).get("messages"))
    return bool(messages) and any("from" in message and "content" in message for message in messages[:3])


def conversation(item: Table) -> Conversation:
    """See `SingleSource`."""
    nodes: list[ForeignNode] = []
    for number, message in enumerate(rows(item.get("messages"))):
        nodes.append(_node(message, number, nodes[-1].key if nodes else None, text(item.get("model")) or None))
    _attach(nodes, item)
    theirs = text(item.get("_id")) or text(table(item.get("_id")).get("$oid")) or text(item.get("id"))
    return Conversation(
        "hf-chat-ui",
        theirs,
        text(item.get("title")),
        nodes,
        nodes[-1].key if nodes else None,
        time_of(item.get("createdAt")),
        system_prompt=text(item.get("preprompt")),
    )


def _attach(nodes: list[ForeignNode], item: Table) -> None:
    """Give the first question the files of the zip: each message names those of the whole conversation."""
    lists = (message.get("files") for message in rows(item.get("messages")))
    names = dict.fromkeys(text(name) for each in lists if isinstance(each, list) for name in each)
    found = [line_and_picture(name, name) for name in names if name]
    for asked in [node for node in nodes if node.role == "user"][:1]:
        asked.content = "\n\n".join((asked.content, *(line for line, _ in found)))
        asked.pictures += tuple(picture for _, pictures in found for picture in pictures)


def _node(message: Table, number: int, before: str | None, model: str | None) -> ForeignNode:
    ancestors = message.get("ancestors")
    parent = before if not isinstance(ancestors, list) else text(ancestors[-1]) or None if ancestors else None
    role, said = text(message.get("from")), text(message.get("content"))
    node = ForeignNode(
        text(message.get("id")) or f"message-{number}", parent, role, time=time_of(message.get("createdAt"))
    )
    lines = [said]
    for row in rows(message.get("files")):
        name, content = text(row.get("name"))[:200] or "file", _content(row)
        if content:
            node.files = (*node.files, File(name, content))
        else:
            is_picture = text(row.get("mime")).startswith("image/")
            lines.append(placeholder("picture" if is_picture else "file", name))
            node.pictures += (ForeignPicture(lines[-1], name, text(row.get("value"))),) if is_picture else ()
    if role != "assistant":
        node.content = "\n\n".join(lines)
        return node
    thought, node.model = text(message.get("reasoning")), model
    node.parts = (*((Reasoning(thought),) if thought.strip() else ()), *(Text(line) for line in lines if line.strip()))
    return node


def _content(row: Table) -> str:
    """The text of a file in base64; "" if it is not text."""
    if row.get("type") != "base64" or text(row.get("mime")).startswith(("image/", "audio/", "video/")):
        return ""
    try:
        return base64.b64decode(text(row.get("value")), validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return ""
