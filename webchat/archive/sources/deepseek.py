"""DeepSeek's export: conversations.json, whose messages are fragments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from webchat.archive.foreign import Conversation, link
from webchat.archive.foreign_node import ForeignNode
from webchat.archive.lenient import Table, as_text, first_text, rows, table, text
from webchat.chat.parts import Output, Part, Reasoning, Text, ToolCall

NAME, SPANS_FILE = "DeepSeek", False
_CITATION = re.compile(r" ?\[citation:(\d+)\]")


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `SingleSource`."""
    return isinstance(value, dict) and isinstance(value.get("mapping"), dict) and "inserted_at" in value


def conversation(item: Table) -> Conversation:
    """See `SingleSource`."""
    mapping = item["mapping"]
    return Conversation(
        "deepseek",
        item.get("id"),
        text(item.get("title")),
        [_node(str(key), table(node)) for key, node in mapping.items()],
        _last(mapping),
        item.get("inserted_at"),
        pinned=item.get("pinned") is True,
    )


def _last(mapping: Mapping[str, Any]) -> str | None:
    """The newest message: the last one of several children, at every level."""
    here, seen = "root", set[str]()
    while here in mapping and here not in seen:
        seen.add(here)
        children = table(mapping[here]).get("children")
        here = str(children[-1]) if isinstance(children, list) and children else here
    return here if here in mapping else None


def _node(key: str, node: Table) -> ForeignNode:
    parent, message = node.get("parent"), table(node.get("message"))
    above = str(parent) if isinstance(parent, str | int) else None
    found = ForeignNode(key, above, time=message.get("inserted_at"), model=text(message.get("model")) or None)
    fragments = rows(message.get("fragments"))
    asked = [text(row.get("content")) for row in fragments if row.get("type") == "REQUEST"]
    if asked or text(message.get("role")).lower() == "user":
        names = [first_text(row, "file_name", "name") for row in rows(message.get("files"))]
        said = [*asked, "" if asked else text(message.get("content"))]
        found.role = "user"
        found.content = "\n\n".join(filter(None, (*said, *(f"[file: {name[:200]}]" for name in names if name))))
    elif message:
        found.role = "assistant"
        links = _links(fragments)
        said_in = (part for number, row in enumerate(fragments) for part in _parts(f"{key}-{number}", row))
        found.parts = tuple(_cited(part, links) if isinstance(part, Text) else part for part in said_in)
        if not fragments:
            thought, said_ = text(message.get("reasoning_content")), text(message.get("content"))
            found.parts = (*([Reasoning(thought)] if thought else []), *([Text(said_)] if said_ else []))
    return found


def _links(fragments: list[Table]) -> dict[str, str]:
    """The links of what was found, by the numbers with which the answer cites them."""
    results = [row for fragment in fragments for row in rows(fragment.get("results")) if text(row.get("url"))]
    return {
        str(row.get("cite_index") or number): link(text(row.get("title")), text(row.get("url")))
        for number, row in enumerate(results, 1)
    }


def _cited(said: Text, links: Mapping[str, str]) -> Text:
    return Text(_CITATION.sub(lambda mark: f" ({links[mark[1]]})" if mark[1] in links else mark[0], said.text))


def _parts(name: str, fragment: Table) -> tuple[Part, ...]:
    kind, said = fragment.get("type"), text(fragment.get("content"))
    if kind in ("SEARCH", "READ", "TOOL"):
        results = fragment.get("results")
        shown = map(_result, results if isinstance(results, list) else [results])
        found = "\n".join(filter(None, (as_text(fragment.get("content")), *shown)))
        query = first_text(fragment, "query", "title") or str(kind).lower()
        return (ToolCall(name, query, "search", "done", output=(Output(found),) if found.strip() else ()),)
    if not said.strip():
        return ()
    return (Reasoning(said),) if kind == "THINK" else (Text(said),)


def _result(found: object) -> str:
    """A page as a link, one without an address by its title; anything else as it is."""
    title, url = text(table(found).get("title")), text(table(found).get("url"))
    is_page = url or (title and len(table(found)) == 1)
    return link(title, url) if is_page else as_text(found)
