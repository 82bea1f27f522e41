"""Claude's export: conversations.json, alone or in a zip of its category."""

from __future__ import annotations

from typing import Any

from webchat.archive.foreign import Conversation, link
from webchat.archive.foreign_node import ForeignNode
from webchat.archive.lenient import Table, as_text, first_text, rows, table, text
from webchat.archive.sources.claude_artifacts import Artifacts
from webchat.chat.message import File
from webchat.chat.parts import Diff, Output, Part, Reasoning, Text, ToolCall, ToolKind, ToolStatus
from webchat.chat.plain import one_line

NAME, SPANS_FILE = "Claude", False
_KINDS: dict[str, ToolKind] = {"web_search": "search", "web_fetch": "fetch", "repl": "execute", "bash_tool": "execute"}
_KINDS |= {"str_replace": "edit", "create_file": "edit", "artifacts": "edit", "view": "read"}


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `SingleSource`."""
    return isinstance(value, dict) and isinstance(value.get("chat_messages"), list)


def conversation(item: Table) -> Conversation:
    """See `SingleSource`."""
    nodes: list[ForeignNode] = []
    artifacts, model = Artifacts(), text(item.get("model")) or None
    for number, message in enumerate(item["chat_messages"]):
        if isinstance(message, dict):
            before = nodes[-1].key if nodes else None
            nodes.append(_node(message, text(message.get("uuid")) or f"message-{number}", before, artifacts, model))
    return Conversation(
        "claude",
        item.get("uuid"),
        text(item.get("name")),
        nodes,
        nodes[-1].key if nodes else None,  # the last in the list is where the person was
        item.get("created_at"),
        pinned=item.get("is_starred") is True,
    )


def _node(message: Table, key: str, before: str | None, artifacts: Artifacts, model: str | None) -> ForeignNode:
    parent = message.get("parent_message_uuid")
    role = {"human": "user", "assistant": "assistant"}.get(text(message.get("sender")), "")
    node = ForeignNode(key, parent if isinstance(parent, str) else before, role, time=message.get("created_at"))
    blocks = rows(message.get("content"))
    attached, names = _attached(message)
    if role == "user" or not blocks:
        said = [_text(block) for block in blocks if _is_text(block)] or [text(message.get("text"))]
        node.content = "\n\n".join(filter(None, (*said, *(f"[file: {name}]" for name in names))))
        node.files = attached
    else:
        reader = _Blocks(key, artifacts)
        node.parts = tuple(part for block in blocks for part in reader.parts(block))
        node.files, node.model = (*attached, *artifacts.changed()), model
        if all(isinstance(part, Text) for part in node.parts):  # most have nothing else
            node.content = "\n\n".join(part.text for part in node.parts if isinstance(part, Text))
            node.parts = ()
    return node


class _Blocks:
    """Reads the blocks of one answer. Results that do not name their call follow it directly."""

    def __init__(self, key: str, artifacts: Artifacts) -> None:
        self._key, self._artifacts = key, artifacts
        self._count, self._last = 0, ""

    def parts(self, block: Table) -> tuple[Part, ...]:
        kind = block.get("type", "text")
        if _is_text(block):
            return (Text(said),) if (said := _text(block)).strip() else ()
        if kind == "thinking":
            summaries = [text(row.get("summary")) for row in rows(block.get("summaries"))]
            thought = text(block.get("thinking")).strip() or "\n\n".join(filter(None, summaries))
            return (Reasoning(thought),) if thought else ()
        if kind == "tool_use":
            return self._call(block)
        if kind == "tool_result":
            return self._result(block)
        return ()

    def _call(self, block: Table) -> tuple[Part, ...]:
        self._count += 1
        self._last = text(block.get("id")) or f"{self._key}-{self._count}"
        name, given = text(block.get("name")), table(block.get("input"))
        kept = self._artifacts.change(name, given)
        title = " ".join(filter(None, (name, first_text(given, "title", "path", "query", "url", "command")[:200])))
        old, new = given.get("old_str"), given.get("new_str")
        if isinstance(old, str) and isinstance(new, str):
            change = Diff(first_text(given, "path", "id"), old, new)
            return (ToolCall(self._last, title, "edit", "done", output=(change,)),)
        # A file of the message need not be repeated here.
        shown = "" if kept else as_text(block.get("input"))
        return (ToolCall(self._last, title, _KINDS.get(name, "other"), "done", shown),)

    def _result(self, block: Table) -> tuple[Part, ...]:
        call = text(block.get("tool_use_id")) or self._last
        output = _result_text(block.get("content"))
        status: ToolStatus = "failed" if block.get("is_error") is True else "done"
        name = text(block.get("name")) or "tool"
        blocks = (Output(output),) if output.strip() and name != "artifacts" else ()
        return (ToolCall(call or self._key, name, _KINDS.get(name, "other"), status, output=blocks),)


def _result_text(content: object) -> str:
    """The text of a tool's result; for web results also their titles and addresses."""
    if not isinstance(content, list):
        return as_text(content)
    texts = []
    for row in rows(content):
        head = [first_text(row, "title"), first_text(row, "url")]
        said = text(row.get("text")) or (f"[{text(row.get('type'))[:60]}]" if row.get("type") == "image" else "")
        texts.append("\n".join(filter(None, (*head, said))))
    return "\n\n".join(filter(None, texts))


def _is_text(block: Table) -> bool:
    return block.get("type", "text") in ("text", "voice_note")


def _text(block: Table) -> str:
    """A block's text, with its citations after the cited passages."""
    said = text(block.get("text"))
    places = []
    for citation in rows(block.get("citations")):
        details, end = table(citation.get("details")), citation.get("end_index")
        url = first_text(citation, "url") or first_text(details, "url")
        if url and type(end) is int and 0 <= end <= len(said):
            places.append((end, link(first_text(citation, "title") or first_text(details, "title"), url)))
    for end, linked in sorted(dict.fromkeys(places), reverse=True):
        said = f"{said[:end]} ({linked}){said[end:]}"
    return said


def _attached(message: Table) -> tuple[tuple[File, ...], list[str]]:
    """The texts attached to a message, and the names of other files, whose content is not in such an export."""
    found = [
        (one_line(text(row.get("file_name"))), text(row.get("extracted_content")))
        for row in rows(message.get("attachments"))
    ]
    files = tuple(File(name or "pasted.txt", content) for name, content in found if content)
    known = {file.name for file in files}
    others = [one_line(text(row.get("file_name")))[:200] for row in rows(message.get("files"))]
    others += [name for name, content in found if name and not content]
    return files, [name for name in dict.fromkeys(others) if name and name not in known]
