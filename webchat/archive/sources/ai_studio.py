"""Google AI Studio's prompts, one file each in the person's Drive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webchat.archive.foreign import Conversation
from webchat.archive.foreign_node import ForeignNode, ForeignPicture
from webchat.archive.lenient import Table, first_text, rows, table, text
from webchat.chat.parts import Output, Part, Reasoning, Text, ToolCall

NAME, SPANS_FILE = "AI Studio", False


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `Source`."""
    return isinstance(table(table(value).get("chunkedPrompt")).get("chunks"), list)


def conversations(values: Iterator[Any]) -> Iterator[Conversation]:
    """See `Source`."""
    return map(_conversation, values)


def _conversation(item: Table) -> Conversation:
    model = text(table(item.get("runSettings")).get("model")).removeprefix("models/") or None
    nodes: list[ForeignNode] = []
    for number, chunk in enumerate(rows(item["chunkedPrompt"]["chunks"])):
        node = _node(f"chunk-{number}", chunk, model)
        node.parent = nodes[-1].key if nodes else None
        nodes.append(node)
    system = table(item.get("systemInstruction"))
    prompt = text(system.get("text")) or "\n\n".join(text(row.get("text")) for row in rows(system.get("parts")))
    last = nodes[-1].key if nodes else None
    return Conversation("ai-studio", None, text(item.get("title")), nodes, last, system_prompt=prompt, content=item)


def _node(key: str, chunk: Table, model: str | None) -> ForeignNode:
    said = text(chunk.get("text")) or "".join(text(row.get("text")) for row in rows(chunk.get("parts")))
    node = ForeignNode(key, None, time=chunk.get("createTime"))
    if chunk.get("role") == "user":
        files = [
            name for name in ("driveDocument", "driveImage", "driveVideo", "inlineFile", "inlineImage") if name in chunk
        ]
        shown = ["[picture]" if "Image" in name else "[file]" for name in files]
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
    node.role, node.model, node.parts = "assistant", model, tuple(parts)
    return node


def _pictures(chunk: Table) -> tuple[ForeignPicture, ...]:
    """Those that stand in the file itself; others are in the person's Drive."""
    found = first_text(table(chunk.get("inlineImage")), "data")
    return (ForeignPicture("[picture]", "", found),) if found else ()
