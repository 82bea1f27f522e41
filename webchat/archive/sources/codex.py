"""Codex's sessions from ~/.codex/sessions: JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webchat.agent_logs.codex import is_event_of_asking, is_item_of_asking, model_in, pictures_in, steps
from webchat.agent_logs.values import Row
from webchat.archive.foreign import Conversation, Gathered
from webchat.archive.heard import heard
from webchat.archive.lenient import table, text
from webchat.archive.sources.openai_shapes import pictures

NAME, SPANS_FILE = "Codex", True
_TYPES = ("session_meta", "turn_context", "response_item", "event_msg", "compacted")


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `GroupingSource`."""
    found = table(value)
    return found.get("type") in _TYPES and isinstance(found.get("payload"), dict)


def conversations(values: Iterator[Any]) -> Iterator[Conversation]:
    """See `GroupingSource`."""
    nodes, head, model, shown = Gathered(), table(None), "", list[Row]()
    for number, value in enumerate(values):
        found = table(value)
        model = model_in(found) or model
        if found.get("type") == "session_meta":
            head = head or table(found.get("payload"))
        else:
            is_item = is_item_of_asking(found)
            own = pictures_in(found)
            shown = own or shown  # an event may only name the files whose content its item, just before it, has
            said = steps(found, is_asking=is_item or is_event_of_asking(found))
            key = f"line-{number}{'-item' * is_item}"
            for node in heard(key, None, said, found.get("timestamp"), model or None):
                if node.role == "user":
                    node.pictures = pictures(own if is_item else shown)
                if node.role and not is_item:
                    shown = []
                nodes.add(node)
    folder, made = text(head.get("cwd")), head.get("timestamp")
    yield Conversation("codex", head.get("id"), "", nodes, _in_a_row(nodes), made, folder=folder)


def _in_a_row(nodes: Gathered) -> str | None:
    """Make each message the parent of the next; returns the last."""
    # The person's messages are in events; items of that role also hold what the program adds.
    has_events = any(node.role == "user" and not node.key.endswith("-item") for node in nodes)
    before: str | None = None
    for node in nodes:
        if has_events and node.key.endswith("-item"):
            node.role, node.pictures = "", ()
        node.parent, before = before, node.key
    return before
