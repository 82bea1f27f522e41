"""Builds messages from another program's rows: each question, then everything done for it as one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from zlib import crc32

from webchat.agent_logs.values import Step
from webchat.chat.message import Message
from webchat.chat.parts import MOST_PARTS, Diff, Note, Output, Part, Reasoning, Terminal, Text, ToolCall
from webchat.chat.plain import without_surrogates


class Turns:
    """Builds the messages, row by row. A message's revision is the number of its last row."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._parts: list[Part] = []
        self._calls: dict[str, int] = {}
        """The index of each tool call of the last answer in its parts."""
        self.rows = 0
        """How many rows have been read; callers count them."""

    def take(self, step: Step, time: str, model: str | None = None) -> None:
        """Add what a row says, at this time. `model` is None if unknown."""
        if isinstance(step, str):
            self._finish()
            self._add("user", without_surrogates(step), time, None)
        elif isinstance(step, ToolCall):
            self._answer(time, model)
            if step.status == "running":
                self._call(step)
            else:
                self._end_call(step)
        elif isinstance(step, Text | Reasoning | Note) and step.text.strip():
            self._answer(time, model)
            if self._has_room():
                self._parts.append(step)

    def _call(self, call: ToolCall) -> None:
        call_id = call.id or f"{self.rows}-{len(self._parts)}"
        if call_id not in self._calls and self._has_room():
            self._calls[call_id] = len(self._parts)
            self._parts.append(replace(call, id=call_id))

    def _end_call(self, result: ToolCall) -> None:
        """Add a result to its call; that of an unknown call becomes a call of its own."""
        if result.id not in self._calls:
            self._call(replace(result, status="running", output=()))
        place = self._calls.get(result.id, next(reversed(self._calls.values()), None))
        if place is None:
            return
        call = self._parts[place]
        assert isinstance(call, ToolCall)  # noqa: S101
        changes = tuple(known for known in call.output if isinstance(known, Diff))
        output = result.output if result.status == "failed" or not changes else ()
        if call.kind == "execute":
            output = tuple(Terminal(block.text) for block in output if isinstance(block, Output))
        self._parts[place] = replace(call, status=result.status, output=(*changes, *output), seconds=0.0)

    def finished(self) -> tuple[Message, ...]:
        """All messages."""
        self._finish()
        return tuple(self.messages)

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
        self.messages[-1] = replace(self.messages[-1], revision=self.rows)

    def _add(self, role: str, content: str, time: str, model: str | None) -> None:
        # With its time and text: a program that rewrites its file may move other messages here.
        name = f"{len(self.messages)}-{crc32(f'{time}{content[:1000]}'.encode('utf-8', 'replace')):08x}"
        parent = self.messages[-1].id if self.messages else None
        self.messages.append(
            Message(name, role, content, parent=parent, created_at=time, model=model, revision=self.rows)
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
