"""Renders a message for readable exports: its text, reasoning, tool calls, plans, questions, files and status."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from webchat.archive.contained import contained
from webchat.chat.message import File, Message, fenced
from webchat.chat.parts import Block, Diff, Note, Part, Permission, Picture, Plan, Reasoning, Text, ToolCall
from webchat.chat.picture import SentPicture
from webchat.chat.plain import normal_lines, one_line
from webchat.render.diffs import diff_text
from webchat.render.markdown import markdown
from webchat.render.terminal import plain, visible, written
from webchat.render.typed import typed

BROKE_OFF, STOPPED, INTERRUPTED = "The answer broke off.", "Answer stopped.", "Answer interrupted."
EDITED = "Edited by hand."
_MARKS = re.compile(r"([\\`*_\[\]<>#|~&])")
"""The special characters within a line of Markdown."""
_DONE = {"pending": " ", "running": " ", "done": "x"}


@dataclass(frozen=True)
class _Words:
    """A part in words: a line of Markdown, and what is folded below it; or a picture."""

    line: str
    texts: tuple[tuple[str, str] | Picture, ...] = ()


def as_markdown(message: Message) -> str:
    """The whole message, with the names of its pictures and how it ended."""
    files = (*map(_file_in_markdown, message.files), *map(_named, message.pictures))
    return "\n\n".join(text for text in (*map(_in_markdown, _parts(message)), *files) if text)


def as_html(message: Message, picture: Callable[[str], bytes | None]) -> Markup:
    """The same as HTML with embedded pictures; `picture` returns the bytes of one by its key.

    People's messages stay as typed, except for fenced code; only answers are Markdown.
    """
    is_typed = message.role != "assistant" or message.kind == "memory"
    parts = (_in_html(part, typed if is_typed else markdown) for part in _parts(message))
    pictures = (_shown(sent, picture(sent.key)) for sent in message.pictures)
    return Markup("\n").join((*parts, *map(_file_in_html, message.files), *pictures))


def _named(picture: SentPicture) -> str:
    return f"*Picture: {_plain(picture.name)}*"


def _shown(picture: SentPicture, data: bytes | None) -> Markup:
    if data is None:
        return markdown(_named(picture))
    source = f"data:{picture.media_type};base64,{b64encode(data).decode()}"
    return Markup('<p><img alt="{}" src="{}"></p>').format(picture.name, source)


def _parts(message: Message) -> tuple[Part, ...]:
    """The message's parts, with notes on how it ended and which model wrote it."""
    ends = {"failed": [BROKE_OFF] if not message.error else [], "stopped": [STOPPED], "interrupted": [INTERRUPTED]}
    notes = [*ends.get(message.status, []), *([message.error] if message.error else [])]
    notes += [EDITED] if message.kind == "edited" else []
    return (*message.ordered, *map(Note, notes))


def _in_markdown(part: Part) -> str:
    if isinstance(part, Text):
        return contained(normal_lines(part.text).strip("\n").rstrip())
    if isinstance(part, Reasoning):
        lines = contained(normal_lines(part.text).strip()).split("\n")
        return _folded("Reasoning", ["\n".join(f"> {line}".rstrip() for line in lines)]) if part.text.strip() else ""
    words = _words(part)
    if words is None:
        return ""
    texts = [f"({text.media_type})" if isinstance(text, Picture) else fenced(text[1], text[0]) for text in words.texts]
    return _folded(_summary(words.line), texts) if texts else words.line


def _folded(summary: str, texts: Iterable[str]) -> str:
    """Markdown texts inside `<details>`."""
    return "\n\n".join([f"<details><summary>{summary}</summary>", *texts, "</details>"])


def _summary(line: str) -> str:
    """A line of Markdown as HTML, without its paragraph."""
    return str(markdown(line)).strip().removeprefix("<p>").removesuffix("</p>")


def _file_in_markdown(file: File) -> str:
    return f"**{_plain(file.name)}**\n\n{fenced(normal_lines(file.content), _language(file.name))}"


def _in_html(part: Part, render: Callable[[str], Markup]) -> Markup:
    if isinstance(part, Text):
        return render(normal_lines(part.text))
    if isinstance(part, Reasoning):
        return _opened(escape("Reasoning"), Markup('<p class="plain">{}</p>').format(part.text), "reasoning")
    if isinstance(part, Note):
        return Markup('<p class="note">{}</p>').format(part.text)
    words = _words(part)
    if words is None:
        return Markup()
    line = markdown(words.line)
    return _opened(line, Markup().join(map(_text_in_html, words.texts)), "tool") if words.texts else line


def _text_in_html(text: tuple[str, str] | Picture) -> Markup:
    if isinstance(text, Picture):
        return Markup('<img alt="Picture" src="data:{};base64,{}">').format(text.media_type, text.data)
    language, content = text
    return markdown(fenced(content, language)) if language else Markup("<pre>{}</pre>").format(plain(content))


def _file_in_html(file: File) -> Markup:
    return _opened(escape(file.name), markdown(fenced(normal_lines(file.content), _language(file.name))), "file")


def _opened(summary: Markup, content: Markup, kind: str) -> Markup:
    return Markup('<details class="{}"><summary>{}</summary>{}</details>').format(kind, summary, content)


def _language(name: str) -> str:
    """The language of a file for its fence, told by its extension."""
    found = re.search(r"\.([A-Za-z0-9+]{1,10})$", name)
    return found[1].lower() if found else ""


def _words(part: Part) -> _Words | None:
    if isinstance(part, ToolCall):
        status = "not finished" if part.was_left else part.status
        took = f", {part.took}" if part.took else ""
        given = [("", visible(part.input))] if part.input.strip() else []
        line = f"{_code(part.title or part.kind)} ({part.kind.replace('_', ' ')}, {status}{took})"
        return _Words(line, (*given, *map(_block, part.output)))
    if isinstance(part, Permission):
        return _Words(f"{_code(part.title)} {_answer(part)}")
    if isinstance(part, Note):
        return _Words(f"*{_plain(part.text)}*")
    if isinstance(part, Plan):
        return _Words("\n".join(f"- [{_DONE[entry.status]}] {_plain(entry.text)}" for entry in part.entries))
    return None


def _block(block: Block) -> tuple[str, str] | Picture:
    if isinstance(block, Diff):
        return "diff", f"{one_line(block.path)}\n{diff_text(block.old, block.new)}"
    return block if isinstance(block, Picture) else ("", written(block.text))


def _answer(asked: Permission) -> str:
    if asked.status != "answered":
        return "Not answered."
    return f"Answered: {_code(asked.chosen.name if asked.chosen else asked.choice or '')}"


def _plain(text: str) -> str:
    """The text on one line, escaped for Markdown."""
    return _MARKS.sub(r"\\\1", one_line(text)) or "…"


def _code(text: str) -> str:
    """The same as inline code."""
    shown = one_line(text) or "…"
    ticks = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    blank = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{ticks}{blank}{shown}{blank}{ticks}"
