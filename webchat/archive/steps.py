"""An agent's answer as people read it elsewhere: its text, and what it did, planned and asked in between."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup

from webchat.chat.message import Message, fenced
from webchat.chat.parts import Block, Diff, Part, Permission, Picture, Plan, Text, ToolCall
from webchat.chat.plain import one_line
from webchat.render.diffs import diff_text
from webchat.render.markdown import markdown, normal_lines
from webchat.render.terminal import plain, visible, written

_DONE = {"pending": " ", "running": " ", "done": "x"}


@dataclass(frozen=True)
class _Told:
    """A part in words: a line, and texts below it, each with the language that it is in, if any."""

    line: str
    texts: tuple[tuple[str, str], ...] = ()


def as_markdown(message: Message) -> str:
    """The message's text, with what stands between it."""
    return "\n\n".join(text for part in message.ordered if (text := _in_markdown(part)))


def as_html(message: Message) -> Markup:
    """The same as HTML that needs no style."""
    return Markup("\n").join(_in_html(part) for part in message.ordered)


def _in_markdown(part: Part) -> str:
    if isinstance(part, Text):
        return normal_lines(part.text).strip()
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
        took = f", {part.seconds:g} s" if part.seconds is not None else ""
        given = [("", visible(part.input))] if part.input.strip() else []
        line = f"{_code(part.title or part.kind)} ({part.kind.replace('_', ' ')}, {part.status}{took})"
        return _Told(line, (*given, *map(_block, part.output)))
    if isinstance(part, Permission):
        return _Told(f"{_code(part.title)} {_answer(part)}")
    if isinstance(part, Plan):
        return _Told("\n".join(f"- [{_DONE[entry.status]}] {_code(entry.text)}" for entry in part.entries))
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


def _code(text: str) -> str:
    """Any text in one line of Markdown that says just that."""
    shown = one_line(text) or "…"
    ticks = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    blank = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{ticks}{blank}{shown}{blank}{ticks}"
