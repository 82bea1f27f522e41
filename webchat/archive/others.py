"""Conversations as ChatGPT, Claude and Open WebUI export them, made ours. Their trees stay trees."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from webchat.archive.brought import Brought, Unreadable
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
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


@dataclass(slots=True)
class _Node:
    """One message of somebody else's tree; without a text it only leads from one to another."""

    key: str
    parent: str | None
    role: str = ""
    content: str = ""
    time: object = None
    model: str | None = None
    files: tuple[File, ...] = ()

    @property
    def says_something(self) -> bool:
        has_text = self.content and not self.content.isspace()
        return self.role in ("user", "assistant") and bool(has_text or self.files)


def conversation(item: Any) -> Brought:  # noqa: ANN401  (whatever stood there)
    """One of their conversations as one of our sessions. Raises Unreadable."""
    if not isinstance(item, dict):
        raise Unreadable("it is no JSON object")
    if isinstance(item.get("mapping"), dict):
        return _chatgpt(item)
    if isinstance(item.get("chat_messages"), list):
        return _claude(item)
    chat = item.get("chat")
    if isinstance(chat, dict) and isinstance(chat.get("history"), dict):
        return _open_webui(item, chat["history"])
    raise Unreadable("it is of no kind that is known here")


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


def _chatgpt_node(key: str, node: Mapping[str, Any]) -> _Node:
    above, message = node.get("parent"), node.get("message")
    parent = above if isinstance(above, str) else None
    if not isinstance(message, dict):
        return _Node(key, parent)
    author, metadata, time = message.get("author"), message.get("metadata"), message.get("create_time")
    role = author.get("role") if isinstance(author, dict) else ""
    # An assistant that speaks to a tool does not speak to the person.
    if role not in ("user", "assistant") or message.get("recipient") not in (None, "all"):
        return _Node(key, parent, time=time)
    metadata = metadata if isinstance(metadata, dict) else {}
    if metadata.get("is_visually_hidden_from_conversation"):
        return _Node(key, parent, time=time)
    model = metadata.get("model_slug")
    content = _chatgpt_content(message.get("content"))
    return _Node(key, parent, role, content, time, model if isinstance(model, str) else None)


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
    nodes: list[_Node] = []
    for number, message in enumerate(item["chat_messages"]):
        if not isinstance(message, dict):
            continue
        key = str(message.get("uuid") or f"message-{number}")
        parent = message.get("parent_message_uuid")
        before = nodes[-1].key if nodes else None
        role = {"human": "user", "assistant": "assistant"}.get(str(message.get("sender")), "")
        parent = parent if isinstance(parent, str) else before
        files = _claude_files(message.get("attachments"))
        nodes.append(_Node(key, parent, role, _claude_content(message), message.get("created_at"), files=files))
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
            _Node(
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
    nodes: Iterable[_Node],
    current: str | None,
) -> Brought:
    tree = {node.key: node for node in nodes}
    ids = {key: _id(key) for key, node in tree.items() if node.says_something}
    if not ids:
        raise Unreadable("there is no message in it")
    # Without an id of theirs it is known by what it is.
    name = theirs if isinstance(theirs, str) and theirs else hashlib.sha256(jsonlines.dump(dict(item))).hexdigest()
    name = name.encode("utf-8", "replace").decode()
    started = _time(made) or next((time for key in tree if (time := _time(tree[key].time))), "")
    shown_above = _kept_above(tree, ids)
    parents = {key: shown_above.get(tree[key].parent) for key in ids}
    order = _in_order(parents)
    times = {key: _time(tree[key].time) or started for key in order}
    lines = [_line(tree[key], ids[key], ids.get(parents[key] or ""), times[key]) for key in order]
    ended = max(times.values()) or started
    shown = shown_above.get(current)
    if shown and order[-1] != shown:
        lines.append(f'{{"type":"select","id":"{ids[shown]}"}}\n')
    first = next((tree[key].content for key in order if tree[key].role == "user"), "")
    row: Row = {
        "session_id": str(uuid.uuid5(_OURS, f"{source}:{name}")),
        "description": one_line(title[:MOST_OF_A_TITLE])[:LONGEST_TITLE] or title_of(first[:MOST_OF_A_TITLE]),
        "created_at": started or ended,
        "last_active": ended or started,
        "begun": True,
        "title_by": "person",
        "extra": {"imported": {"from": source, "id": name}},
    }
    if row["description"] == DEFAULT_DESCRIPTION:
        row["description"] = "Imported conversation"
    return Brought(row, "".join(lines).encode("utf-8", "replace"))


def _line(node: _Node, name: str, parent: str | None, time: str) -> str:
    """A message's line. Only what is theirs is encoded: that takes half the time of encoding a record."""
    content = node.content
    if "\0" in content:  # looking is a tenth of the work of replacing
        content = content.replace("\0", "")
    if "\r" in content:
        content = content.replace("\r\n", "\n").replace("\r", "\n")
    more = ""
    if node.files:
        files = [{"name": file.name, "content": file.content.replace("\0", "")} for file in node.files]
        more = f',"files":{jsonlines.encode(files)}'
    if node.model and node.role == "assistant":
        more += f',"model":{jsonlines.encode(node.model)}'
    above = f'"{parent}"' if parent else "null"
    message = f'"type":"message","id":"{name}","parent":{above},"role":"{node.role}"'
    return f'{{{message},"content":{jsonlines.encode(content)},"status":"complete","created_at":"{time}"{more}}}\n'


def _in_order(parents: Mapping[str, str | None]) -> list[str]:
    """Each message behind the one that it follows, siblings as they stood in the file."""
    keys = [*parents]
    if [*parents.values()] == [None, *keys[:-1]]:  # most have no branches, and stand in order
        return keys
    below: dict[str | None, list[str]] = {}
    for key, parent in parents.items():
        below.setdefault(parent, []).append(key)
    order: list[str] = []
    seen: set[str] = set()
    waiting = [*reversed(below.get(None, []))]
    while waiting:
        key = waiting.pop()
        if key not in seen:
            seen.add(key)
            order.append(key)
            waiting += reversed(below.get(key, ()))
    # What hangs on a loop follows nothing that begins; it is kept all the same.
    return [*order, *(key for key in parents if key not in seen)]


def _kept_above(tree: Mapping[str, _Node], kept: Iterable[str]) -> dict[str | None, str | None]:
    """For each message the nearest one that is kept, from that one up. Each is looked at once."""
    found: dict[str | None, str | None] = {key: key for key in kept}
    for key in tree.keys() - found.keys():
        path: list[str] = []
        above: str | None = key
        while above is not None and above in tree and above not in found:
            found[above] = None  # until more is known: a loop leads nowhere
            path.append(above)
            above = tree[above].parent
        found |= dict.fromkeys(path, found.get(above))
    return found


def _id(key: str) -> str:
    return key if _ID.fullmatch(key) else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32]


def _time(value: object) -> str:
    """A time of theirs, seconds or ISO 8601, as ours; "" where it is none."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value, UTC)
        else:
            moment = datetime.fromisoformat(str(value))
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return moment.isoformat(timespec="microseconds")
