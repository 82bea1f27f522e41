"""The parts of Open WebUI's answers: from `output` or, in older ones, from blocks in the text."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from webchat.archive.attributes import attributes_of
from webchat.archive.lenient import Table, as_text, rows, text
from webchat.archive.sources.openai_shapes import text_of
from webchat.chat.parts import Output, Part, Reasoning, Text, ToolCall, ToolStatus

_OPENING = re.compile('<details type="(reasoning|tool_calls|code_interpreter)"')
_SUMMARY = re.compile(r"<summary>[^<]*+</summary>")
_QUOTED = re.compile(r"^&gt; ?|^> ?", re.MULTILINE)


def answer_parts(key: str, message: Table) -> Iterator[Part]:
    """The parts of the answer with this key, in order."""
    output = [
        part for number, item in enumerate(rows(message.get("output"))) for part in _item(f"{key}-{number}", item)
    ]
    yield from output
    content = text_of(message.get("content"))
    if not any(isinstance(part, Text) for part in output):
        yield from _written(key, content, with_blocks=not output)
    elif text(message.get("reasoning_content")) and not any(isinstance(part, Reasoning) for part in output):
        yield Reasoning(text(message.get("reasoning_content")))


def _item(name: str, item: Table) -> Iterator[Part]:
    """The parts of one item of an answer's `output`, in the shape of the Responses API."""
    kind, call = item.get("type"), text(item.get("call_id")) or name
    if kind == "message":
        if said := text_of(item.get("content")).strip():
            yield Text(said)
    elif kind == "reasoning":
        if thought := (text_of(item.get("content")) or text_of(item.get("summary"))).strip():
            yield Reasoning(thought)
    elif kind == "function_call":
        yield ToolCall(call, text(item.get("name")), "other", "done", as_text(item.get("arguments")))
    elif kind == "function_call_output":
        given = text_of(item.get("output")) or as_text(item.get("output"))
        status: ToolStatus = "failed" if item.get("status") in ("failed", "incomplete") else "done"
        yield ToolCall(call, status=status, output=(Output(given),) if given.strip() else ())
    elif str(kind).endswith("code_interpreter"):
        given = as_text(item.get("output"))
        yield ToolCall(name, "Code", "execute", "done", text(item.get("code")), (Output(given),) if given else ())


@dataclass(frozen=True)
class _Block:
    """A block in a text, and its position."""

    kind: str
    attributes: Mapping[str, str]
    inside: str
    start: int
    end: int


def _blocks(content: str) -> Iterator[_Block]:
    place = 0
    while opening := _OPENING.search(content, place):
        head = content.find(">", opening.end())
        end = content.find("</details>", head)
        if head < 0 or end < 0:
            return
        attributes = {key: html.unescape(value) for key, value in attributes_of(content[opening.end() : head]).items()}
        inside = html.unescape(_QUOTED.sub("", _SUMMARY.sub("", content[head + 1 : end], count=1))).strip()
        place = end + len("</details>")
        yield _Block(opening[1], attributes, inside, opening.start(), place)


def _written(key: str, content: str, *, with_blocks: bool) -> Iterator[Part]:
    """The parts of a text with blocks of reasoning and tool calls, which are skipped if `output` has them."""
    place = 0
    for number, block in enumerate(_blocks(content)):
        if said := content[place : block.start].strip():
            yield Text(said)
        place = block.end
        if with_blocks:
            yield from _parts_of(f"{key}-{number}", block)
    rest = content[place:]
    if rest.strip():
        yield Text(rest.strip("\n") if place else rest)


def _parts_of(name: str, block: _Block) -> Iterator[Part]:
    if block.kind == "reasoning":
        if block.inside:
            yield Reasoning(block.inside)
        return
    is_code = block.kind == "code_interpreter"
    result = _decoded(block.attributes.get("output" if is_code else "result", ""))
    output = (Output(result),) if result.strip() else ()
    if is_code:
        yield ToolCall(name, "Code", "execute", "done", re.sub(r"\A```\w*\n|\n?```\Z", "", block.inside), output)
    else:
        given, call = _decoded(block.attributes.get("arguments", "")), block.attributes.get("id") or name
        yield ToolCall(call, block.attributes.get("name", ""), "other", "done", given, output)


def _decoded(value: str) -> str:
    """Parses a value that may be JSON, or JSON in a JSON string."""
    for _ in range(2):
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            return value
        value = as_text(found)
        if not isinstance(found, str):
            break
    return value
