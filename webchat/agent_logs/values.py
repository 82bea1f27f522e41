"""Reads the values of a log's rows leniently: any of them may be missing, or of another type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from webchat.chat.agent_tools import TOO_DEEP, as_json, called
from webchat.chat.parts import Output, Part, ToolCall
from webchat.chat.plain import without_surrogates

Row = Mapping[str, Any]
Step = Part | str
"""A part of an answer or, as a string, a message of the person. A tool call has the status "running", its result
not."""
PICTURE = "[picture]"
"""The line that stands for a picture."""
DEEPEST = 20
"""The deepest nesting of lists and mappings that is searched for text."""


def parsed(value: object) -> object:
    """Arguments and results come as values, or as JSON in a string."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def text_of(content: object, depth: int = 0) -> str:
    """The text of a string, a list of blocks, or a tool's result, which may be anything."""
    if isinstance(content, str) or content is None:
        return content or ""
    if depth == DEEPEST:
        return TOO_DEEP
    if isinstance(content, list):
        return "\n\n".join(filter(None, (text_of(item, depth + 1) for item in content)))
    if isinstance(content, Mapping):
        text = content.get("text", content.get("output", content.get("content")))
        return text_of(text, depth + 1) if text is not None else as_json(content)
    return str(content)


def stated(value: Row, name: str) -> str:
    """A row's text; "" if there is none."""
    found = value.get(name)
    return without_surrogates(found) if isinstance(found, str) else ""


def call_of(call_id: str, tool: str, given: object) -> ToolCall:
    """A tool's call with these arguments."""
    call = called(call_id, tool or "tool", given)
    return replace(call, title=without_surrogates(call.title), input=without_surrogates(call.input))


def result_of(call_id: str, content: object, *, failed: bool) -> ToolCall:
    """The result of the call with that id; a result has no name."""
    text = without_surrogates(text_of(content))
    output = (Output(text),) if text.strip() else ()
    return ToolCall(call_id, "tool", status="failed" if failed else "done", output=output)
