"""Claude Code's sessions from ~/.claude/projects: JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from webchat.agent_logs.claude_code import TITLES, message_of, model_in, parent_of, steps
from webchat.agent_logs.values import Row, text_of
from webchat.archive.foreign import Conversation, Gathered
from webchat.archive.foreign_node import ForeignNode
from webchat.archive.heard import heard
from webchat.archive.lenient import table, text
from webchat.archive.sources.openai_shapes import pictures

NAME, SPANS_FILE = "Claude Code", True
_TYPES = {"user", "assistant", "system", "file-history-snapshot", "progress", *TITLES}
_TYPES |= {"queue-operation", "attachment", "last-prompt", "permission-mode", "mode"}


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `GroupingSource`."""
    found = table(value)
    keys = ("sessionId", "leafUuid", "messageId")
    return text(found.get("type")) in _TYPES and any(isinstance(found.get(key), str) for key in keys)


@dataclass
class _Session:
    nodes: Gathered = field(default_factory=Gathered)
    titles: dict[str, str] = field(default_factory=dict)
    folder: str = ""


def conversations(values: Iterator[Any]) -> Iterator[Conversation]:
    """See `GroupingSource`."""
    sessions: dict[str, _Session] = {}
    for value in values:
        found = table(value)
        session = sessions.setdefault(text(found.get("sessionId")), _Session())
        if title := text(found.get(TITLES.get(text(found.get("type")), ""))):
            session.titles[text(found.get("type"))] = title
        session.folder = session.folder or text(found.get("cwd"))
        key, parent = text(found.get("uuid")), parent_of(found) or None
        if found.get("type") in ("user", "assistant") and found.get("isSidechain") is not True:
            for node in _nodes(key or f"line-{len(session.nodes)}", parent, found):
                session.nodes.add(node)
        elif key:
            session.nodes.add(ForeignNode(key, parent))
    summary = sessions.get("", _Session()).titles  # which refers to its session by a message
    for name, session in sessions.items():
        titles = summary | session.titles
        _join(session.nodes)
        title = next((titles[kind] for kind in TITLES if kind in titles), "")
        if name or len(session.nodes):
            last = next((node.key for node in reversed(session.nodes) if node.says_something), None)
            yield Conversation("claude-code", name, title, session.nodes, last, folder=session.folder)


def _join(nodes: Gathered) -> None:
    """Let what is below a lost row, such as a damaged line, follow what was said before it in the file."""
    known, above = {node.key for node in nodes}, dict[str, str | None]()
    before: str | None = None
    for node in nodes:
        if node.parent and node.parent not in known:
            node.parent = above.setdefault(node.parent, before)
        before = node.key if node.says_something else before


def _nodes(key: str, parent: str | None, row: Row) -> list[ForeignNode]:
    nodes = heard(key, parent, steps(row), row.get("timestamp"), model_in(row))
    last, content = nodes[-1], message_of(row).get("content")
    if row.get("isApiErrorMessage") is True:
        last.role, last.error, last.parts = "assistant", text_of(content), ()
    elif last.role == "user":
        last.pictures = pictures(content)
    return nodes
