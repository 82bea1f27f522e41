"""Converts the exports of ChatGPT, Claude and Open WebUI. Branches are kept."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from webchat.archive.brought import Brought, Unreadable
from webchat.archive.foreign_tree import ForeignNode, ForeignTree
from webchat.chat.message import File
from webchat.chat.plain import one_line
from webchat.chat.texts import title_of
from webchat.fileutil import jsonlines
from webchat.session_store import DEFAULT_DESCRIPTION, Row

IN_A_ZIP = re.compile(r"(^|/)conversations(-\d+)?\.json$")
LONGEST_TITLE = 300
MOST_OF_A_TITLE = 10 * LONGEST_TITLE
"""Characters of a title that are looked at: blanks and controls among them are left out."""
_OURS = uuid.UUID("5d3a1c1e-6f0b-4b43-9a55-7a1f0c2d9b10")
"""The namespace of the ids that sessions from elsewhere get: the same one each time."""


def conversation(item: Any) -> Brought:  # noqa: ANN401  (whatever stood there)
    """Converts one conversation into a session. Raises Unreadable."""
    if not isinstance(item, dict):
        raise Unreadable("it is no JSON object")
    if isinstance(item.get("mapping"), dict):
        return _chatgpt(item)
    if isinstance(item.get("chat_messages"), list):
        return _claude(item)
    chat = item.get("chat")
    if isinstance(chat, dict) and isinstance(chat.get("history"), dict):
        return _open_webui(item, chat["history"])
    raise Unreadable("its format is unknown")


# ChatGPT


def _chatgpt(item: Mapping[str, Any]) -> Brought:
    nodes = []
    for key, node in item["mapping"].items():
        node = node if isinstance(node, dict) else {}
        nodes.append(_chatgpt_node(str(key), node))
    current = item.get("current_node")
    return _brought(
        "chatgpt",
        item.get("conversation_id") or item.get("id"),
        item,
        str(item.get("title") or ""),
        item.get("create_time"),
        nodes,
        current if isinstance(current, str) else None,
    )


def _chatgpt_node(key: str, node: Mapping[str, Any]) -> ForeignNode:
    above, message = node.get("parent"), node.get("message")
    parent = above if isinstance(above, str) else None
    if not isinstance(message, dict):
        return ForeignNode(key, parent)
    author, metadata, time = message.get("author"), message.get("metadata"), message.get("create_time")
    role = author.get("role") if isinstance(author, dict) else ""
    # An assistant that speaks to a tool does not speak to the person.
    if role not in ("user", "assistant") or message.get("recipient") not in (None, "all"):
        return ForeignNode(key, parent, time=time)
    metadata = metadata if isinstance(metadata, dict) else {}
    if metadata.get("is_visually_hidden_from_conversation"):
        return ForeignNode(key, parent, time=time)
    model = metadata.get("model_slug")
    content = _chatgpt_content(message.get("content"))
    return ForeignNode(key, parent, role, content, time, model if isinstance(model, str) else None)


def _chatgpt_content(content: object) -> str:
    kind = content.get("content_type") if isinstance(content, dict) else None
    if not isinstance(content, dict) or kind in ("user_editable_context", "thoughts"):
        return ""
    text, parts = content.get("text"), content.get("parts")
    if isinstance(text, str):
        return f"```\n{text}\n```" if kind == "code" else text
    return "\n\n".join(filter(None, map(_chatgpt_part, parts))) if isinstance(parts, list) else ""


def _chatgpt_part(part: object) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    text = part.get("text")
    return text if isinstance(text, str) else f"[{str(part.get('content_type') or 'attachment')[:60]}]"


# Claude


def _claude(item: Mapping[str, Any]) -> Brought:
    nodes: list[ForeignNode] = []
    for number, message in enumerate(item["chat_messages"]):
        if not isinstance(message, dict):
            continue
        key = str(message.get("uuid") or f"message-{number}")
        parent = message.get("parent_message_uuid")
        before = nodes[-1].key if nodes else None
        role = {"human": "user", "assistant": "assistant"}.get(str(message.get("sender")), "")
        parent = parent if isinstance(parent, str) else before
        files = _claude_files(message.get("attachments"))
        nodes.append(ForeignNode(key, parent, role, _claude_content(message), message.get("created_at"), files=files))
    # The last in the list is where the person was.
    current = nodes[-1].key if nodes else None
    return _brought(
        "claude", item.get("uuid"), item, str(item.get("name") or ""), item.get("created_at"), nodes, current
    )


def _claude_content(message: Mapping[str, Any]) -> str:
    blocks = message.get("content")
    texts = [
        block["text"]
        for block in (blocks if isinstance(blocks, list) else [])
        if isinstance(block, dict) and block.get("type", "text") == "text" and isinstance(block.get("text"), str)
    ]
    text = message.get("text")
    return "\n\n".join(filter(None, texts)) or (text if isinstance(text, str) else "")


def _claude_files(found: object) -> tuple[File, ...]:
    """The texts that went with a message; of other files there is only the name in such an export."""
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    texts = ((str(row.get("file_name") or "file.txt"), row.get("extracted_content")) for row in rows)
    return tuple(File(one_line(name) or "file.txt", text) for name, text in texts if isinstance(text, str) and text)


# Open WebUI


def _open_webui(item: Mapping[str, Any], history: Mapping[str, Any]) -> Brought:
    messages = history.get("messages")
    nodes = []
    for key, message in (messages if isinstance(messages, dict) else {}).items():
        if not isinstance(message, dict):
            continue
        parent, content, model = message.get("parentId"), message.get("content"), message.get("model")
        nodes.append(
            ForeignNode(
                str(key),
                parent if isinstance(parent, str) else None,
                str(message.get("role")),
                content if isinstance(content, str) else "",
                message.get("timestamp"),
                model if isinstance(model, str) else None,
            )
        )
    current = history.get("currentId")
    title = item.get("title") or item["chat"].get("title") or ""
    made = item.get("created_at") or item["chat"].get("timestamp")
    return _brought(
        "open-webui", item.get("id"), item, str(title), made, nodes, current if isinstance(current, str) else None
    )


# Ours


def _brought(
    source: str,
    theirs: object,
    item: Mapping[str, Any],
    title: str,
    made: object,
    nodes: Iterable[ForeignNode],
    current: str | None,
) -> Brought:
    tree = ForeignTree(nodes, made)
    # A conversation without an id is identified by its content.
    name = theirs if isinstance(theirs, str) and theirs else hashlib.sha256(jsonlines.dump(dict(item))).hexdigest()
    name = name.encode("utf-8", "replace").decode()
    titled = one_line(title[:MOST_OF_A_TITLE])[:LONGEST_TITLE] or title_of(tree.first_question[:MOST_OF_A_TITLE])
    row: Row = {
        "session_id": str(uuid.uuid5(_OURS, f"{source}:{name}")),
        "description": "Imported conversation" if titled == DEFAULT_DESCRIPTION else titled,
        "created_at": tree.started,
        "last_active": tree.ended,
        "begun": True,
        "title_by": "person",
        "extra": {"imported": {"from": source, "id": name}},
    }
    return Brought(row, tree.transcript(current))
