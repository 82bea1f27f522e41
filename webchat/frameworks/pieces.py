"""What the answers of all frameworks share: tool calls by id, and texts. Knows no framework."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from webchat.backends import Event, HistoryItem, Piece
from webchat.chat.parts import Output, ToolCall, ToolStatus

Foreign = Any
"""Any object of a framework."""


class ToolCalls:
    """The tool calls of one answer; each change returns the current state of the call."""

    def __init__(self) -> None:
        self._open: dict[str, ToolCall] = {}

    def begin(self, id: str, name: str, given: object) -> ToolCall:
        self._open[id] = ToolCall(id, name, status="running", input=text(given))
        return self._open[id]

    def end(self, id: str, result: object, *, failed: bool = False) -> ToolCall | None:
        """End a call; None if no such call is open."""
        if id not in self._open:
            return None
        output = () if result is None else (Output(text(result)),)
        status: ToolStatus = "failed" if failed else "done"
        return replace(self._open.pop(id), status=status, output=output)

    def end_all(self, result: object, *, failed: bool) -> list[ToolCall | None]:
        return [self.end(id, result, failed=failed) for id in list(self._open)]


def reasoning(text: object) -> Event | None:
    """A piece of reasoning, if there is any."""
    return Event("reasoning", str(text)) if text else None


def package_of(agent: object, name: str, module: str = "") -> Foreign:
    """The package of the agent's class, or of one that it extends, or its `module`: the one that has `name`.

    It is loaded already, since there is an agent. Raises TypeError if there is none.
    """
    for kind in type(agent).__mro__:
        package = kind.__module__.partition(".")[0]
        found = sys.modules.get(f"{package}.{module}" if module else package)
        if hasattr(found, name):
            return found
    raise TypeError(f"{type(agent).__name__} comes from no package that has {name!r}")


def system(messages: Sequence[HistoryItem]) -> str:
    """The system message, or "" if there is none."""
    return str(messages[0]["content"]) if messages[0]["role"] == "system" else ""


def text(thing: object) -> str:
    """The text of a tool's input or output, or of an answer that is not a string."""
    if thing is None or isinstance(thing, str):
        return thing or ""
    if hasattr(thing, "model_dump_json"):
        return str(thing.model_dump_json())
    return json.dumps(thing, ensure_ascii=False, default=str)


def field(item: object, *names: str) -> Any:  # noqa: ANN401
    """The first of these attributes that an object has; a dict's keys count as attributes."""
    values = (item.get(name) if isinstance(item, Mapping) else getattr(item, name, None) for name in names)
    return next((value for value in values if value is not None), None)


def parts(message: Foreign) -> Iterator[Piece | None]:
    """The reasoning and the text of a LangChain message."""
    yield reasoning(message.additional_kwargs.get("reasoning_content"))
    for block in [message.content] if isinstance(message.content, str) else message.content:
        if isinstance(block, str):
            yield block
        elif block.get("type") == "text":
            yield block["text"]
        elif block.get("type") in ("reasoning", "thinking"):
            yield reasoning(field(block, "reasoning", "thinking"))


def messages_in(update: Mapping[str, Any]) -> Iterator[Foreign]:
    """The messages that a graph's nodes have added."""
    for change in update.values():
        added = change.get("messages") if isinstance(change, Mapping) else ()
        yield from added if isinstance(added, list | tuple) else (added,)
