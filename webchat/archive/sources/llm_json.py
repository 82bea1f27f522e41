"""The output of `llm logs --json` of Simon Willison's llm: a row for each answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from webchat.archive.foreign import Conversation, Gathered
from webchat.archive.foreign_node import ForeignNode, placeholder
from webchat.archive.lenient import Table, as_text, first_text, rows, table, text
from webchat.chat.parts import Output, Part, Reasoning, Text, ToolCall

NAME, SPANS_FILE = "llm", False


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `GroupingSource`."""
    return all(key in table(value) for key in ("conversation_id", "prompt", "response", "datetime_utc"))


@dataclass
class _Thread:
    theirs: str
    title: str = ""
    system: str = ""
    answers: list[list[ForeignNode]] = field(default_factory=list)
    nodes: Gathered = field(default_factory=Gathered)


def conversations(values: Iterator[Any]) -> Iterator[Conversation]:
    """See `GroupingSource`."""
    threads: dict[str, _Thread] = {}
    for number, row in enumerate(values):
        theirs = text(row.get("conversation_id"))
        thread = threads.setdefault(theirs or f"row-{number}", _Thread(theirs))
        thread.title = thread.title or text(row.get("conversation_name"))
        thread.system = thread.system or text(row.get("system"))
        nodes = _nodes(row, number)
        if thread.nodes.add(nodes[0]) and thread.nodes.add(nodes[1]):
            thread.answers.append(nodes)
    for thread in threads.values():
        ordered = [node for answer in sorted(thread.answers, key=lambda nodes: str(nodes[0].time)) for node in answer]
        for before, node in pairwise(ordered):
            node.parent = before.key
        last = ordered[-1].key if ordered else None
        yield Conversation(
            "llm",
            thread.theirs,
            thread.title,
            ordered,
            last,
            system_prompt=thread.system,
            too_large=thread.nodes.is_too_large,
        )


def _nodes(row: Table, number: int) -> list[ForeignNode]:
    key, time = text(row.get("id")) or f"row-{number}", row.get("datetime_utc")
    fragments = [text(fragment.get("content")) for fragment in rows(row.get("prompt_fragments"))]
    attached = map(attachment, rows(row.get("attachments")))
    prompt = "\n\n".join(filter(None, (*fragments, text(row.get("prompt")), *attached)))
    results = [_result(result) for result in rows(row.get("tool_results"))]
    asked = ForeignNode(f"{key}-q", None, "user", prompt, time)
    if results:  # they continue the previous answer
        asked = ForeignNode(f"{key}-q", None, "assistant", time=time, parts=tuple(results))
    thought, said = text(row.get("reasoning")), text(row.get("response"))
    parts: list[Part] = [Reasoning(thought)] if thought.strip() else []
    parts += [Text(said)] if said.strip() else []
    for place, call in enumerate(rows(row.get("tool_calls"))):
        name = text(call.get("tool_call_id")) or f"{key}-{place}"
        parts.append(ToolCall(name, text(call.get("name")), "other", "done", as_text(call.get("arguments"))))
    model = text(row.get("model")) or None
    return [asked, ForeignNode(key, f"{key}-q", "assistant", time=time, model=model, parts=tuple(parts))]


def attachment(row: Table) -> str:
    """The line of an attachment, of which llm knows the path or the address, if it has any."""
    name = re.split(r"[/\\]", first_text(row, "path", "url"))[-1]
    return placeholder("picture" if text(row.get("type")).startswith("image/") else "file", name)


def _result(result: Table) -> ToolCall:
    output = as_text(result.get("output"))
    name = text(result.get("tool_call_id")) or "tool"
    blocks = (Output(output),) if output.strip() else ()
    return ToolCall(
        name, text(result.get("name")), "other", "failed" if result.get("exception") else "done", "", blocks
    )
