"""Messages in the shapes of OpenAI's APIs, which many programs store: lists of contents, tool calls, tool results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from webchat.archive.foreign_node import ForeignNode, ForeignPicture, placeholder
from webchat.archive.lenient import Table, as_text, first_text, rows, table, text
from webchat.chat.parts import Output, Part, Reasoning, Text, ToolCall

_PICTURES = ("image_url", "input_image", "image", "image_file")
_FILES = ("file", "input_file", "document", "audio", "input_audio")
_REASONING = ("reasoning_content", "reasoningContent", "reasoning", "thinking")


def text_of(content: object) -> str:
    """A text, or the texts of a list of parts."""
    if not isinstance(content, list):
        return text(content)
    said = [part if isinstance(part, str) else _part(table(part)) for part in content]
    return "\n\n".join(filter(None, said))


def pictures(content: object) -> tuple[ForeignPicture, ...]:
    """The pictures of a list of parts."""
    found = [row for row in rows(content) if text(row.get("type")) in _PICTURES]
    return tuple(ForeignPicture("[picture]", "", _url(row)) for row in found)


def _url(row: Table) -> str:
    inner = row.get("image_url")
    return text(inner) or first_text(table(inner), "url") or text(table(row.get("source")).get("data"))


def _part(part: Table) -> str:
    if text(part.get("type")) in _PICTURES:
        return placeholder("picture", "")
    found = part.get("text")
    if said := text(found) or text(table(found).get("value")):
        return said
    name = first_text(part, "filename", "name", "title") or first_text(table(part.get("file")), "filename", "name")
    return placeholder("file", name) if text(part.get("type")) in _FILES else ""


def parts(key: str, message: Table) -> Iterator[Part]:
    """An answer's parts: its reasoning, its text, and its tool calls, given as a list or as JSON of one."""
    if thought := first_text(message, *_REASONING).strip():
        yield Reasoning(thought)
    said = text_of(message.get("content"))
    if said.strip():
        yield Text(said)
    calls = message.get("tool_calls") or message.get("toolCalls")
    for number, call in enumerate(rows(_decoded(calls) if isinstance(calls, str) else calls)):
        function = table(call.get("function")) or call
        given = as_text(function.get("arguments"))
        yield ToolCall(text(call.get("id")) or f"{key}-{number}", text(function.get("name")), "other", "done", given)


def result(key: str, message: Table) -> ToolCall:
    """A tool's result from its message."""
    call = first_text(message, "tool_call_id", "toolCallId") or key
    output = text_of(message.get("content"))
    return ToolCall(call, text(message.get("name")), status="done", output=(Output(output),) if output.strip() else ())


def node(key: str, parent: str | None, message: Table) -> ForeignNode:
    """A message {role, content}."""
    role, model = text(message.get("role")).lower(), text(message.get("model"))
    time = next((message[name] for name in ("timestamp", "createdAt", "created_at", "time") if message.get(name)), None)
    found = ForeignNode(key, parent, role, time=time, model=model or None)
    if role in ("tool", "function"):
        found.role, found.parts = "assistant", (result(key, message),)
    elif role == "assistant":
        found.parts = tuple(parts(key, message))
    else:
        found.content = text_of(message.get("content"))
        found.pictures = pictures(message.get("content"))
    return found


def system_prompt(messages: Sequence[Table]) -> str:
    """The text of the first message, if it is not the person's."""
    first = messages[0] if messages else {}
    return text_of(first.get("content")) if first.get("role") in ("system", "developer") else ""


def _decoded(value: str) -> object:
    try:
        found: object = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return found
