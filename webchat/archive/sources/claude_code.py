"""Claude Code's sessions from ~/.claude/projects: JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from webchat.archive.foreign import Conversation, Gathered
from webchat.archive.foreign_node import ForeignNode
from webchat.archive.lenient import Table, rows, table, text
from webchat.archive.sources.openai_shapes import pictures, told
from webchat.chat.agent_tools import called
from webchat.chat.parts import Output, Part, Reasoning, Text, ToolCall, ToolStatus

NAME, SPANS_FILE = "Claude Code", True
_TYPES = {"user", "assistant", "system", "summary", "custom-title", "ai-title", "file-history-snapshot", "progress"}
_TYPES |= {"queue-operation", "attachment", "last-prompt", "permission-mode", "mode"}
_NOT_SAID = ("<command-", "<local-command-", "<system-reminder>", "<task-notification>")
"""The beginnings of messages that the program itself adds in the person's name."""


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `Source`."""
    found = table(value)
    keys = ("sessionId", "leafUuid", "messageId")
    return text(found.get("type")) in _TYPES and any(isinstance(found.get(key), str) for key in keys)


@dataclass
class _Session:
    nodes: Gathered = field(default_factory=Gathered)
    titles: dict[str, str] = field(default_factory=dict)
    folder: str = ""


def conversations(values: Iterator[Any]) -> Iterator[Conversation]:
    """See `Source`."""
    sessions: dict[str, _Session] = {}
    for value in values:
        found = table(value)
        session = sessions.setdefault(text(found.get("sessionId")), _Session())
        for key in ("customTitle", "aiTitle", "summary"):
            if title := text(found.get(key)):
                session.titles[key] = title
        session.folder = session.folder or text(found.get("cwd"))
        if found.get("type") in ("user", "assistant") and found.get("isSidechain") is not True:
            session.nodes.add(_node(found, len(session.nodes)))
        elif text(found.get("uuid")):
            session.nodes.add(ForeignNode(text(found.get("uuid")), text(found.get("parentUuid")) or None))
    summary = sessions.get("", _Session()).titles  # which refers to its session by a message
    for name, session in sessions.items():
        titles = summary | session.titles
        title = next((titles[key] for key in ("customTitle", "aiTitle", "summary") if key in titles), "")
        if name or len(session.nodes):
            last = next((node.key for node in reversed(session.nodes) if node.says_something), None)
            yield Conversation("claude-code", name, title, session.nodes, last, folder=session.folder, content=name)


def _node(found: Table, number: int) -> ForeignNode:
    message = table(found.get("message"))
    key, model = text(found.get("uuid")) or f"line-{number}", text(message.get("model"))
    node = ForeignNode(key, text(found.get("parentUuid")) or None, time=found.get("timestamp"))
    content = message.get("content")
    if found.get("type") == "assistant":
        node.role, node.model = "assistant", model if model and not model.startswith("<") else None
        node.parts = tuple(part for block in _blocks(content) for part in _parts(key, block))
        if found.get("isApiErrorMessage") is True:
            node.error, node.parts = told(content), ()
    elif results := tuple(_result(block) for block in _blocks(content) if block.get("type") == "tool_result"):
        node.role, node.parts = "assistant", results
    elif found.get("isMeta") is not True and found.get("isCompactSummary") is not True:
        said = told(content)
        node.role, node.content = ("", "") if said.lstrip().startswith(_NOT_SAID) else ("user", said)
        node.pictures = pictures(content)
    return node


def _blocks(content: object) -> list[Table]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else rows(content)


def _parts(key: str, block: Table) -> tuple[Part, ...]:
    kind, said = block.get("type"), text(block.get("text"))
    if kind == "thinking":
        thought = text(block.get("thinking"))
        return (Reasoning(thought),) if thought.strip() else ()
    if kind in ("tool_use", "server_tool_use"):
        made = called(text(block.get("id")) or key, text(block.get("name")), block.get("input"))
        return (replace(made, status="done"),)
    return (Text(said),) if kind == "text" and said.strip() else ()


def _result(block: Table) -> ToolCall:
    output = told(block.get("content"))
    blocks = (Output(output),) if output.strip() else ()
    status: ToolStatus = "failed" if block.get("is_error") is True else "done"
    return ToolCall(text(block.get("tool_use_id")) or "tool", "tool", "other", status, output=blocks)
