"""An agent's answer in readable exports: its text, and its tool calls, plans and questions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup

from webchat.chat.message import Message, fenced
from webchat.chat.parts import Block, Diff, Note, Part, Permission, Picture, Plan, Text, ToolCall
from webchat.chat.plain import one_line
from webchat.render.diffs import diff_text
from webchat.render.markdown import markdown, normal_lines
from webchat.render.terminal import plain, visible, written

BROKE_OFF, STOPPED, INTERRUPTED = "The answer broke off.", "Answer stopped.", "Answer interrupted."
_MARKS = re.compile(r"([\\`*_\[\]<>#|~&])")
"""What means something in a line of Markdown."""
_DONE = {"pending": " ", "running": " ", "done": "x"}


@dataclass(frozen=True)
class _Told:
    """A part in words: a line, and texts below it, each with the language that it is in, if any."""

    line: str
    texts: tuple[tuple[str, str], ...] = ()


def as_markdown(message: Message) -> str:
    """The message's text, with what stands between it, and how it ended."""
    return "\n\n".join(text for part in _parts(message) if (text := _in_markdown(part)))


def as_html(message: Message) -> Markup:
    """The same as HTML that needs no style."""
    return Markup("\n").join(_in_html(part) for part in _parts(message))


def _parts(message: Message) -> tuple[Part, ...]:
    """All that the message consists of, and as a note how it ended."""
    parts = message.parts or (Text(message.told), *map(Note, message.notes))
    ends = {"failed": [BROKE_OFF] if not message.error else [], "stopped": [STOPPED], "interrupted": [INTERRUPTED]}
    notes = [*ends.get(message.status, []), *([message.error] if message.error else [])]
    return (*parts, *map(Note, notes))


def _in_markdown(part: Part) -> str:
    if isinstance(part, Text):
        return normal_lines(part.text).strip("\n").rstrip()
    told = _told(part)
    if told is None:
        return ""
    return "\n\n".join([told.line, *(fenced(text, language) for language, text in told.texts)])


def _in_html(part: Part) -> Markup:
    if isinstance(part, Text):
        return markdown(normal_lines(part.text))
    told = _told(part)
    if told is None:
        return Markup()
    texts = Markup().join(Markup("<pre>{}</pre>").format(plain(text)) for _, text in told.texts)
    line = markdown(told.line)
    return Markup("<details><summary>{}</summary>{}</details>").format(line, texts) if texts else line


def _told(part: Part) -> _Told | None:
    if isinstance(part, ToolCall):
        status = "not finished" if part.was_left else part.status
        took = f", {part.took}" if part.took else ""
        given = [("", visible(part.input))] if part.input.strip() else []
        line = f"{_code(part.title or part.kind)} ({part.kind.replace('_', ' ')}, {status}{took})"
        return _Told(line, (*given, *map(_block, part.output)))
    if isinstance(part, Permission):
        return _Told(f"{_code(part.title)} {_answer(part)}")
    if isinstance(part, Note):
        return _Told(f"*{_plain(part.text)}*")
    if isinstance(part, Plan):
        return _Told("\n".join(f"- [{_DONE[entry.status]}] {_plain(entry.text)}" for entry in part.entries))
    return None


def _block(block: Block) -> tuple[str, str]:
    if isinstance(block, Diff):
        return "diff", f"{one_line(block.path)}\n{diff_text(block.old, block.new)}"
    if isinstance(block, Picture):
        return "", f"({block.media_type})"
    return "", written(block.text)


def _answer(asked: Permission) -> str:
    if asked.status != "answered":
        return "Not answered."
    return f"Answered: {_code(asked.chosen.name if asked.chosen else asked.choice or '')}"


def _plain(text: str) -> str:
    """Any text in one line of Markdown that says just that."""
    return _MARKS.sub(r"\\\1", one_line(text)) or "…"


def _code(text: str) -> str:
    """The same as code."""
    shown = one_line(text) or "…"
    ticks = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    blank = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{ticks}{blank}{shown}{blank}{ticks}"
