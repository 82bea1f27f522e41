"""Messages in the form that models take: {role, content}, in a list, on lines, or as {messages}."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from webchat.archive.foreign import Beginnings, Conversation, Gathered
from webchat.archive.lenient import first_text, rows, table
from webchat.archive.sources import openai_shapes

NAME, SPANS_FILE = "lists of {role, content}", False


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `GroupingSource`."""
    messages = value if isinstance(value, list) else table(value).get("messages")
    return _is_message(value) or (isinstance(messages, list) and any(map(_is_message, messages[:3])))


def conversations(values: Iterator[Any]) -> Iterator[Conversation]:
    """See `GroupingSource`."""
    for is_one, group in groupby(values, key=_is_message):
        if is_one:
            yield _conversation("", None, group)
            continue
        for value in group:
            messages = value if isinstance(value, list) else table(value).get("messages")
            name = first_text(table(value), "id", "conversation_id") or None
            yield _conversation(first_text(table(value), "title", "name"), name, iter(rows(messages)))


def _conversation(title: str, theirs: str | None, messages: Iterator[Any]) -> Conversation:
    nodes, system, beginnings = Gathered(), "", Beginnings()
    for number, message in enumerate(messages):
        above = f"message-{number - 1}" if number else None
        node = openai_shapes.node(f"message-{number}", above, message)
        system = system or (openai_shapes.system_prompt([message]) if number == 0 else "")
        if nodes.add(node):
            beginnings.add([message.get("role"), openai_shapes.text_of(message.get("content"))], node)
    last = nodes[-1].key if len(nodes) else None
    return Conversation("plain", theirs, title, nodes, last, system_prompt=system, names=beginnings.names)


def _is_message(value: object) -> bool:
    found = table(value)
    return isinstance(found.get("role"), str) and isinstance(found.get("content"), str | list | type(None))
