"""Builds a tool call's part from an agent's updates. Knows no session."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

from webchat.backends.acp.shapes import mapping, mappings, text
from webchat.chat.parts import (
    LONGEST_INPUT,
    LONGEST_OUTPUT,
    LONGEST_PATH,
    LONGEST_TITLE,
    MOST_BLOCKS,
    PICTURES,
    Block,
    Diff,
    Output,
    Picture,
    Terminal,
    ToolCall,
    ToolKind,
    ToolStatus,
)
from webchat.chat.plain import marked_line

STATUSES: Mapping[str, ToolStatus] = {
    "pending": "pending",
    "in_progress": "running",
    "completed": "done",
    "failed": "failed",
}
KINDS = get_args(ToolKind)
LONGEST_PICTURE = 4 * 2**20
"""Characters of base64; a larger picture is left out."""
OUTPUT_NAMES = ("formatted_output", "aggregated_output", "output", "stdout")
"""Fields of a tool's own result that hold its text: Codex uses the first two, opencode and others the rest."""


@dataclass(slots=True)
class CallState:
    """The current state of one call. Each field of an update replaces the old value, collections as a whole."""

    call: ToolCall
    blocks: tuple[Block, ...] = ()
    result: Any = None
    """The tool's own result, shown if there is no content."""
    running_since: float | None = None
    size: int = 0
    """Characters held, about."""

    def merge(self, update: Mapping[str, Any], now: float) -> ToolCall:
        """Apply an update; returns the whole call. The cost depends on the size of the update alone."""
        call, status = self.call, STATUSES.get(text(update.get("status")), self.call.status)
        kind = update.get("kind")
        self.call = ToolCall(
            call.id,
            title=_title(update) or call.title,
            kind=call.kind if kind is None else cast(ToolKind, kind) if kind in KINDS else "other",
            status=status,
            input=_input(update["rawInput"]) if update.get("rawInput") else call.input,
            seconds=self._seconds(status, now),
            output=call.output,
        )
        self._take_output(update)
        return self.call

    def _take_output(self, update: Mapping[str, Any]) -> None:
        if isinstance(update.get("content"), list):
            self.blocks = tuple(_blocks(update["content"], self.call.kind))
        elif update.get("rawOutput") is None:
            return
        if update.get("rawOutput") is not None:
            self.result = update["rawOutput"]
        output = self.blocks or _result(self.result, self.call.kind)
        self.call = replace(self.call, output=output)
        self.size = sum(map(_size, output))

    def _seconds(self, status: ToolStatus, now: float) -> float | None:
        if status == "running":
            self.running_since = now if self.running_since is None else self.running_since
        elif status in ("done", "failed") and self.running_since is not None:
            return self.call.seconds if self.call.seconds is not None else now - self.running_since
        return None

    def is_over_before(self, update: Mapping[str, Any]) -> bool:
        """Whether the call is over, and the update does not repeat it but begins another call."""
        if self.call.is_open:
            return False
        begins = STATUSES.get(text(update.get("status"))) not in ("done", "failed")
        if update.get("sessionUpdate") is None:  # a question may name no more than the id
            begins = begins and "status" in update
        given = _input(update["rawInput"]) if update.get("rawInput") else self.call.input
        title = _title(update) or self.call.title
        return begins or (given, title) != (self.call.input, self.call.title)

    def release(self) -> None:
        """Forget the output."""
        self.call = replace(self.call, output=())
        self.blocks, self.result, self.size = (), None, 0

    def go_on(self, now: float) -> None:
        """A person has answered a question about the call: restart its clock, so that the wait does not count."""
        if self.running_since is not None:
            self.running_since = now


def _title(update: Mapping[str, Any]) -> str:
    return marked_line(text(update.get("title"))[:LONGEST_TITLE])


def _size(block: Block) -> int:
    if isinstance(block, Diff):
        return len(block.old or "") + len(block.new)
    return len(block.data if isinstance(block, Picture) else block.text)


def _input(given: object) -> str:
    """A tool's input: a shell command if it is one, else JSON."""
    command = given.get("command", given.get("cmd")) if isinstance(given, dict) else given
    if isinstance(command, list) and command and all(isinstance(word, str) for word in command):
        return shlex.join(command)[:LONGEST_INPUT]
    return (command if isinstance(command, str) else _json(given))[:LONGEST_INPUT]


def _json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, indent=2)
    except RecursionError:
        return ""


def _result(result: object, kind: ToolKind) -> tuple[Block, ...]:
    """The tool's own result: its text if it has one, else JSON."""
    if isinstance(result, dict):
        result = next((found for name in OUTPUT_NAMES if (found := text(result.get(name)))), result)
    shown = "" if result in (None, {}, []) else result if isinstance(result, str) else _json(result)
    return (_printed(shown, kind),) if shown.strip() else ()


def _printed(shown: str, kind: ToolKind) -> Block:
    """Output of commands, and any text with control sequences, is shown as terminal output."""
    if kind == "execute" or "\x1b[" in shown:
        return Terminal(shown[-LONGEST_OUTPUT:])
    return Output(shown[:LONGEST_OUTPUT])


def _blocks(content: list[Any], kind: ToolKind) -> Iterator[Block]:
    for item in mappings(content, MOST_BLOCKS):
        if item.get("type") == "diff":
            old = item.get("oldText")
            yield Diff(
                text(item.get("path"))[:LONGEST_PATH],
                None if old is None else text(old)[:LONGEST_OUTPUT],
                text(item.get("newText"))[:LONGEST_OUTPUT],
            )
        elif item.get("type") == "content":
            yield from _block(mapping(item.get("content")), kind)


def _block(content: Mapping[str, Any], kind: ToolKind) -> Iterator[Block]:
    media_type, data = content.get("mimeType"), text(content.get("data"))
    if content.get("type") == "image":
        if media_type in PICTURES and 0 < len(data) <= LONGEST_PICTURE:
            yield Picture(str(media_type), data)
    elif shown := content_text(content):
        yield _printed(shown, kind)


def content_text(content: object) -> str:
    """The text of a content block; a resource link becomes a Markdown link."""
    block = mapping(content)
    if block.get("type") == "resource_link":
        uri = text(block.get("uri"))
        return f"[{text(block.get('name')) or uri}]({uri})" if uri else ""
    if block.get("type") == "resource":
        return text(mapping(block.get("resource")).get("text"))
    return text(block.get("text"))
