"""Grok's export: prod-grok-backend.json in its zip."""

from __future__ import annotations

from typing import Any

from webchat.archive.foreign import Conversation, sources_of
from webchat.archive.foreign_node import ForeignNode, ForeignPicture
from webchat.archive.lenient import Table, rows, table, text, time_of
from webchat.archive.sources import grok_marks
from webchat.chat.parts import Part, Reasoning, Text

NAME, SPANS_FILE = "Grok", False
_ATTACHMENT = "[attachment]"
"""The line that stands for a file: Grok exports neither names nor types."""


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `SingleSource`."""
    return isinstance(table(value).get("conversation"), dict) and isinstance(table(value).get("responses"), list)


def conversation(item: Table) -> Conversation:
    """See `SingleSource`."""
    head = item["conversation"]
    nodes: list[ForeignNode] = []
    for number, row in enumerate(rows(item["responses"])):
        response = table(row.get("response")) or row
        nodes.append(_node(response, f"response-{number}", nodes[-1].key if nodes else None))
    return Conversation(
        "grok",
        head.get("id"),
        text(head.get("title")),
        nodes,
        nodes[-1].key if nodes else None,
        time_of(head.get("create_time")),
        pinned=head.get("starred") is True,
    )


def _node(response: Table, name: str, before: str | None) -> ForeignNode:
    parent = response.get("parent_response_id")
    node = ForeignNode(text(response.get("_id")) or name, parent if isinstance(parent, str) and parent else before)
    said, node.time = text(response.get("message")), time_of(response.get("create_time"))
    node.pictures = _attached(response)
    lines = [picture.shown for picture in node.pictures]
    if text(response.get("sender")).lower() in ("human", "user"):
        node.role, node.content = "user", "\n\n".join(filter(None, (said, *lines)))
        return node
    said, node.files = grok_marks.read(said, response)
    thought = text(response.get("thinking_trace"))
    parts: list[Part] = [Reasoning(thought)] if thought.strip() else []
    parts += [Text(said)] if said.strip() else []
    parts += map(Text, lines)
    cited = rows(response.get("cited_web_search_results")) or rows(response.get("web_search_results"))
    sources = sources_of((text(row.get("title")), text(row.get("url"))) for row in cited)
    node.role, node.model = "assistant", text(response.get("model")) or None
    node.parts = (*parts, *sources) if parts else ()
    return node


def _attached(response: Table) -> tuple[ForeignPicture, ...]:
    """Its files, which may be pictures: each is in a folder of the export that has its id as its name."""
    ids = response.get("file_attachments")
    found = filter(None, map(text, ids if isinstance(ids, list) else ()))
    return tuple(
        ForeignPicture(_ATTACHMENT, "", f"prod-mc-asset-server/{name}/content", is_file=True) for name in found
    )
