"""Builds messages from another program's rows: each question, then everything done for it as one answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any
from zlib import crc32

from webchat.chat.agent_tools import TOO_DEEP, as_json, called
from webchat.chat.message import Message
from webchat.chat.parts import MOST_PARTS, Block, Diff, Note, Output, Part, Reasoning, Terminal, Text, ToolCall

DEEPEST = 20
"""The deepest nesting of lists and mappings that is searched for text."""


def parsed(value: object) -> object:
    """Arguments and results come as values, or as JSON in a string."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def whole(text: str) -> str:
    """The text without lone surrogates, which JSON can express but files and pages cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def text_of(content: object, depth: int = 0) -> str:
    """The text of a string, a list of blocks, or a tool's result, which may be anything."""
    if isinstance(content, str) or content is None:
        return content or ""
    if depth == DEEPEST:
        return TOO_DEEP
    if isinstance(content, list):
        return "\n\n".join(filter(None, (text_of(item, depth + 1) for item in content)))
    if isinstance(content, Mapping):
        text = content.get("text", content.get("output", content.get("content")))
        return text_of(text, depth + 1) if text is not None else as_json(content)
    return str(content)


class Turns:
    """Builds the messages, row by row. A message's revision is the number of its last row."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._parts: list[Part] = []
        self._calls: dict[str, int] = {}
        """The index of each tool call of the last answer in its parts."""
        self._row = 0

    def next_row(self) -> None:
        self._row += 1

    @property
    def rows(self) -> int:
        return self._row

    def ask(self, text: str, time: str) -> None:
        """Add a message of the person."""
        self._finish()
        self._add("user", whole(text), time, None)

    def say(self, text: str, time: str, model: str | None = None) -> None:
        self._part(Text(whole(text)), time, model)

    def reason(self, text: str, time: str, model: str | None = None) -> None:
        self._part(Reasoning(whole(text)), time, model)

    def note(self, text: str, time: str) -> None:
        self._part(Note(text), time, None)

    def call(self, call_id: str, tool: str, given: object, time: str, model: str | None = None) -> None:
        """Add a tool call."""
        self._answer(time, model)
        call_id = call_id or f"{self._row}-{len(self._parts)}"
        if call_id in self._calls or not self._has_room():
            return
        self._calls[call_id] = len(self._parts)
        call = called(call_id, tool, given)
        self._parts.append(replace(call, title=whole(call.title), input=whole(call.input)))

    def result(self, call_id: str, content: object, time: str, *, failed: bool = False) -> None:
        """Add a tool's result; that of an unknown call becomes a call of its own."""
        if call_id not in self._calls:
            self.call(call_id, "tool", None, time)
        self._touch()
        place = self._calls.get(call_id, next(reversed(self._calls.values()), None))
        if place is None:
            return
        call, text = self._parts[place], whole(text_of(content))
        assert isinstance(call, ToolCall)  # noqa: S101
        block: Block = Terminal(text) if call.kind == "execute" else Output(text)
        changes = tuple(known for known in call.output if isinstance(known, Diff))
        output = (*changes, block) if text and (failed or not changes) else changes
        self._parts[place] = replace(call, status="failed" if failed else "done", output=output, seconds=0.0)

    def finished(self) -> tuple[Message, ...]:
        """All messages."""
        self._finish()
        return tuple(self.messages)

    def _part(self, part: Text | Reasoning | Note, time: str, model: str | None) -> None:
        if not part.text.strip():
            return
        self._answer(time, model)
        if self._has_room():
            self._parts.append(part)

    def _has_room(self) -> bool:
        """Whether the answer may have another part; adds a note, once, if it may not."""
        if len(self._parts) == MOST_PARTS:
            self._parts.append(Note("The rest of this answer is too long to be shown."))
        return len(self._parts) < MOST_PARTS

    def _answer(self, time: str, model: str | None) -> None:
        """Let the next rows belong to an answer: the last message if it is one, else a new one."""
        if not self.messages or self.messages[-1].role != "assistant":
            self._add("assistant", "", time, model)
        elif model and not self.messages[-1].model:
            self.messages[-1] = replace(self.messages[-1], model=model)
        self._touch()

    def _touch(self) -> None:
        self.messages[-1] = replace(self.messages[-1], revision=self._row)

    def _add(self, role: str, content: str, time: str, model: str | None) -> None:
        # With its time and text: a program that rewrites its file may move other messages here.
        name = f"{len(self.messages)}-{crc32(f'{time}{content[:1000]}'.encode('utf-8', 'replace')):08x}"
        parent = self.messages[-1].id if self.messages else None
        self.messages.append(
            Message(name, role, content, parent=parent, created_at=time, model=model, revision=self._row)
        )

    def _finish(self) -> None:
        """Assemble the parts of the last answer."""
        if self._parts:
            parts = tuple(_joined(self._parts))
            said = "".join(part.text for part in parts if isinstance(part, Text))
            reasoning = "".join(part.text for part in parts if isinstance(part, Reasoning))
            notes = tuple(part.text for part in parts if isinstance(part, Note))
            whole = replace(self.messages[-1], content=said, reasoning=reasoning, notes=notes)
            self.messages[-1] = whole if parts == whole.ordered else replace(whole, parts=parts)
        self._parts, self._calls = [], {}


def _joined(parts: Sequence[Part]) -> list[Part]:
    """The parts with blank lines between texts, so that the texts joined are the message's content."""
    joined: list[Part] = []
    has_text = False
    for is_text, group in groupby(parts, key=lambda part: isinstance(part, Text)):
        if is_text:
            text = "\n\n".join(part.text for part in group if isinstance(part, Text))
            joined.append(Text(f"\n\n{text}" if has_text else text))
            has_text = True
        else:
            joined += group
    return joined


def stated(value: Mapping[str, Any], name: str) -> str:
    """A row's text; "" if there is none."""
    found = value.get(name)
    return whole(found) if isinstance(found, str) else ""
