"""Mistral's export: an unordered list of messages for each chat."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from webchat.archive.file_names import named
from webchat.archive.foreign import Conversation, Gathered, link
from webchat.archive.foreign_node import ForeignNode, line_and_picture
from webchat.archive.lenient import Table, as_text, first_text, rows, table, text
from webchat.archive.sources.openai_shapes import parts, text_of
from webchat.chat.message import File
from webchat.chat.parts import Output, Part, Reasoning, Text, ToolCall, ToolKind, ToolStatus

NAME, SPANS_FILE = "Mistral", False
_KINDS: dict[str, ToolKind] = {"web_search": "search", "open_url": "fetch", "code_interpreter": "execute"}


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
    folder = f"chat-{text(message.get('chatId'))}-files/"
    names = [text(row.get("name")) for row in rows(message.get("files"))]
    found = [line_and_picture(name, folder + name) for name in names if name]
    node.pictures = tuple(picture for _, pictures in found for picture in pictures)
    if node.role == "assistant":
        said = tuple(_chunks(node.key, rows(message.get("contentChunks")))) or tuple(parts(node.key, message))
        node.parts, node.model = (*said, *(Text(line) for line, _ in found)), text(message.get("model")) or None
        node.files = tuple(filter(None, map(_canvas, rows(message.get("canvas")))))
    else:
        asked = text_of(message.get("content")) or text_of(rows(message.get("contentChunks")))
        node.content = "\n\n".join(filter(None, (asked, *(line for line, _ in found))))
    return node


def _chunks(key: str, chunks: list[Table]) -> Iterator[Part]:
    """The parts of an answer. Its text is cut where a source is cited or a tool is called."""
    links, said = _links(chunks), ""
    for number, chunk in enumerate(chunks):
        kind = chunk.get("type")
        if kind == "reference":
            numbers = chunk.get("referenceIds")
            found = [links.get(str(number)) for number in (numbers if isinstance(numbers, list) else ())]
            said += "".join(f" ({linked})" for linked in found if linked)
            continue
        part = _call(f"{key}-{number}", chunk) if kind == "tool_call" else _thought(chunk)
        if part is None:
            said += text(chunk.get("text"))
            continue
        if said.strip():
            yield Text(said)
        said = ""
        yield part
    if said.strip():
        yield Text(said)


def _thought(chunk: Table) -> Reasoning | None:
    said = text_of(chunk.get("thinking"))
    return Reasoning(said) if said.strip() else None


def _call(key: str, chunk: Table) -> ToolCall:
    name, given, result = text(chunk.get("name")), chunk.get("publicArguments"), as_text(chunk.get("publicResult"))
    status: ToolStatus = "failed" if chunk.get("success") is False else "done"
    output = (Output(result),) if result.strip() else ()
    call = text(chunk.get("id")) or key
    return ToolCall(call, name or "tool", _KINDS.get(name, "other"), status, as_text(given), output)


def _links(chunks: list[Table]) -> dict[str, str]:
    """Links to the pages that tools have found, by the numbers with which the answer cites them."""
    found = [row for chunk in chunks for row in _pages(chunk.get("publicResult"))]
    return {str(row.get("id")): link(text(row.get("title")), text(row.get("url"))) for row in found}


def _pages(result: object) -> list[Table]:
    """The pages of a tool's result: a list, perhaps inside of an object."""
    lists = [result, *table(result).values()]
    return [row for each in lists for row in rows(each) if text(row.get("url")) and row.get("id") is not None]


def _canvas(row: Table) -> File | None:
    content = text(row.get("content"))
    return File(named(first_text(row, "title") or "Canvas", text(row.get("type"))), content) if content else None
