"""What a row of a coding agent's log says, as messages of another program's tree. Knows no program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from webchat.agent_logs.values import Step
from webchat.archive.foreign_node import ForeignNode
from webchat.chat.parts import Part, Reasoning, Text, ToolCall


def heard(key: str, parent: str | None, steps: Iterable[Step], time: object, model: str | None) -> list[ForeignNode]:
    """The messages of one row, mostly one: an answer goes on, or the person asks. The last has the row's key."""
    steps = [*steps]
    asked = "\n\n".join(step for step in steps if isinstance(step, str))
    parts = tuple(_whole(step, key) for step in steps if not isinstance(step, str) and _says_something(step))
    nodes = [ForeignNode(key, parent, "assistant", time=time, model=model, parts=parts)] if parts else []
    if asked:
        for node in nodes:
            node.key = parent = f"{key}-before"
        nodes.append(ForeignNode(key, parent, "user", asked, time))
    return nodes or [ForeignNode(key, parent)]


def _says_something(part: Part) -> bool:
    return not isinstance(part, Text | Reasoning) or bool(part.text.strip())


def _whole(part: Part, key: str) -> Part:
    """A call has ended, whether or not its result is known."""
    if not isinstance(part, ToolCall):
        return part
    return replace(part, id=part.id or key, status="done" if part.status == "running" else part.status)
