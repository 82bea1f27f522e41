"""Codex's rows, {timestamp, type, payload}. Format as of November 2026; unknown rows are ignored.

The person's messages are taken from the events, since items of role user also hold the environment: mostly as a whole
element, such as <turn_aborted>…</turn_aborted>.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from webchat.agent_logs.values import PICTURE, Row, Step, call_of, parsed, result_of, stated, text_of
from webchat.chat.parts import Note, Reasoning, Text

_CALLS = {"function_call": "", "custom_tool_call": "", "local_shell_call": "shell", "web_search_call": "web_search"}
"""The types of calls, with the names of those that have none."""
_ENVIRONMENT = ("<environment_context>", "<user_instructions>", "# AGENTS.md")


def payload_of(row: Row) -> Row:
    """A row's payload. The earliest files have no wrapper."""
    found = row.get("payload", row)
    return found if isinstance(found, dict) else {}


def asking(rows: Iterable[Row]) -> list[Row]:
    """The rows with the person's messages: events, or in files without them the items that are not the environment."""
    rows = list(rows)
    events = [row for row in rows if is_event_of_asking(row)]
    return events or [row for row in rows if is_item_of_asking(row)]


def is_event_of_asking(row: Row) -> bool:
    """Whether it is an event with a message of the person."""
    return row.get("type") == "event_msg" and payload_of(row).get("type") == "user_message"


def is_item_of_asking(row: Row) -> bool:
    """Whether it is an item in the person's name."""
    return row.get("type") != "event_msg" and payload_of(row).get("role") == "user"


def model_in(row: Row) -> str:
    """The model of the rows that follow; "" if the row names none."""
    return stated(payload_of(row), "model") if row.get("type") == "turn_context" else ""


def said_in(row: Row) -> str:
    """The person's message in a row with one; "" if it is the environment."""
    payload = payload_of(row)
    if payload.get("type") == "user_message":
        return "\n\n".join(filter(None, (stated(payload, "message").strip(), *_shown(payload))))
    text = text_of(_with_lines(payload.get("content"))).strip()
    return "" if text.startswith(_ENVIRONMENT) or _is_element(text) else text


def pictures_in(row: Row) -> list[Row]:
    """The pictures in a row with the person's message, as blocks of the person's item."""
    payload = payload_of(row)
    if payload.get("type") == "user_message":
        images = payload.get("images")
        return [{"type": "input_image", "image_url": image} for image in images] if isinstance(images, list) else []
    content = payload.get("content")
    blocks = content if isinstance(content, list) else []
    return [block for block in blocks if isinstance(block, dict) and block.get("type") == "input_image"]


def _shown(payload: Row) -> list[str]:
    """A line for each picture of an event; files that it names are not read."""
    lists = (payload.get("images"), payload.get("local_images"))
    return [PICTURE for images in lists if isinstance(images, list) for _ in images]


def _with_lines(content: object) -> object:
    if not isinstance(content, list):
        return content
    return [PICTURE if isinstance(each, dict) and each.get("type") == "input_image" else each for each in content]


def _is_element(text: str) -> bool:
    """Whether the text is one element as a whole. Codex's may have words after the name, also at the end."""
    begun = re.match(r"<([a-z][\w-]*)([^<>]*)>", text)
    if begun is None:
        return False
    name, words = begun.groups()
    rest = text[text.find(f"</{name}") :]
    return rest in (f"</{name}>", f"</{name}{words}>")


def steps(row: Row, *, is_asking: bool) -> Iterator[Step]:
    """The content of a row; `is_asking` if it has a message of the person."""
    payload = payload_of(row)
    kind, call_id = stated(payload, "type"), stated(payload, "call_id") or stated(payload, "id")
    if is_asking:
        yield from filter(None, [said_in(row)])
    elif row.get("type") == "event_msg":
        yield from [Note("Interrupted.")] * (kind == "turn_aborted")
    elif kind == "message" and payload.get("role") == "assistant":
        yield Text(text_of(payload.get("content")))
    elif kind == "reasoning":
        yield Reasoning(text_of([payload.get("summary"), payload.get("content")]))
    elif kind in _CALLS:
        given = payload.get("arguments", payload.get("input", payload.get("action")))
        yield call_of(call_id, stated(payload, "name") or _CALLS[kind], parsed(given))
    elif kind.endswith("_output"):
        output = parsed(payload.get("output"))
        failed = isinstance(output, dict) and (output.get("success") is False or _has_failed(output))
        yield result_of(call_id, output, failed=failed)


def _has_failed(output: Row) -> bool:
    """Whether the command had an exit code other than 0; it has none while it runs, or if it was ended."""
    about = output.get("metadata")
    return isinstance(about, dict) and bool(about.get("exit_code"))
