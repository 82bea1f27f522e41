"""Google AI Studio's prompts, one file each in the person's Drive."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from webchat.archive.foreign import Conversation, sources_of
from webchat.archive.foreign_node import ForeignNode, ForeignPicture
from webchat.archive.lenient import Table, first_text, rows, table, text
from webchat.chat.parts import Output, Part, Reasoning, Text, ToolCall

NAME, SPANS_FILE = "AI Studio", False
_FILES = ("driveDocument", "driveImage", "driveVideo", "inlineFile", "inlineImage")
_SHOWN = {"role", "text", "parts", "isThought", "createTime", "executableCode", "codeExecutionResult", *_FILES}
"""The fields that make a message what it is."""


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `SingleSource`."""
    return isinstance(table(table(value).get("chunkedPrompt")).get("chunks"), list)


def conversation(item: Table) -> Conversation:
    """See `SingleSource`. It has no ids: each message is known by all that leads to it, and it by these messages."""
    model = text(table(item.get("runSettings")).get("model")).removeprefix("models/") or None
    nodes: list[ForeignNode] = []
    for chunk in rows(item["chunkedPrompt"]["chunks"]):
        above = nodes[-1].key if nodes else None
        node = _node(_key(above, chunk), chunk, model)
        node.parent = above
        nodes.append(node)
    system = table(item.get("systemInstruction"))
    prompt = text(system.get("text")) or "\n\n".join(text(row.get("text")) for row in rows(system.get("parts")))
    last = nodes[-1].key if nodes else None
    answers = (number for number, node in enumerate(nodes) if any(isinstance(part, Text) for part in node.parts))
    names = [node.key for node in nodes[next(answers, -1) :]]
    title = text(item.get("title"))
    return Conversation(
        "ai-studio", None, title, nodes, last, system_prompt=prompt, names=names, is_titled_by_file=True
    )


def _key(above: str | None, chunk: Table) -> str:
    shown = {name: value for name, value in chunk.items() if name in _SHOWN}
    return sha256(json.dumps([above, shown], sort_keys=True).encode()).hexdigest()[:32]


def _node(key: str, chunk: Table, model: str | None) -> ForeignNode:
    said = text(chunk.get("text")) or "".join(text(row.get("text")) for row in rows(chunk.get("parts")))
    node = ForeignNode(key, None, time=chunk.get("createTime"))
    if chunk.get("role") == "user":
        shown = ["[picture]" if "Image" in name else "[file]" for name in _FILES if name in chunk]
        node.role, node.content = "user", "\n\n".join(filter(None, (said, *shown)))
        node.pictures = _pictures(chunk)
        return node
    code, result = table(chunk.get("executableCode")), table(chunk.get("codeExecutionResult"))
    parts: list[Part] = []
    if said.strip():
        parts.append(Reasoning(said) if chunk.get("isThought") is True else Text(said))
    if given := text(code.get("code")):
        parts.append(ToolCall(key, "Code", "execute", "done", given))
    if output := first_text(result, "output"):
        parts.append(ToolCall(f"{key}-result", "Result of the code", "execute", "done", output=(Output(output),)))
    node.pictures = _pictures(chunk)
    parts += [Text(picture.shown) for picture in node.pictures]
    found = rows(table(chunk.get("grounding")).get("groundingSources"))
    parts += sources_of((text(row.get("title")), text(row.get("uri"))) for row in found)
    node.role, node.model, node.parts = "assistant", model, tuple(parts)
    return node


def _pictures(chunk: Table) -> tuple[ForeignPicture, ...]:
    """Those that stand in the file itself; others are in the person's Drive."""
    found = first_text(table(chunk.get("inlineImage")), "data")
    return (ForeignPicture("[picture]", "", found),) if found else ()
