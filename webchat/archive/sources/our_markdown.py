"""This chat's own Markdown export, as text: it has only the shown branch, and no message ids."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import IO

from webchat.archive.bounds import Bounds
from webchat.archive.contained import Fences, raised
from webchat.archive.foreign import Conversation
from webchat.archive.foreign_node import ForeignNode
from webchat.chat.parts import Part, Reasoning, Text

NAME = "this chat's Markdown"
LONGEST_LINE = 2**20
"""Bytes of a line in which to look for a heading."""
_HEAD = re.compile(rb"# [^\n]*\r?\n\r?\n(?:\d{4}-\d\d-\d\d \xc2\xb7 )?[A-Za-z0-9._-]{1,128}\r?\n")
_NAMED = re.compile(r"(?:(\d{4}-\d\d-\d\d) · )?([A-Za-z0-9._-]{1,128})")
_BEHIND_AUTHOR = re.compile(r"(?:, (\d{4}-\d\d-\d\d \d\d:\d\d))?(?: · version \d+ of \d+)?\Z")


def recognises(head: bytes) -> bool:
    """See `FileSource`."""
    return _HEAD.match(head.lstrip(b"\xef\xbb\xbf")) is not None


def conversations(file: IO[bytes], bounds: Bounds) -> Iterator[Conversation]:
    """See `FileSource`."""
    title, size, fences = "", 0, Fences()
    lines: list[str] = []
    for line in _lines(file):
        is_code = fences.is_code(line)
        if not is_code and line.startswith("# "):
            if lines:
                yield _conversation(title, lines)
            title, lines, size, fences = line[2:], [], 0, Fences()
        elif size <= bounds.session:
            lines.append(line)
            size += len(line) + 1
    if lines:
        yield _conversation(title, lines)


def _lines(file: IO[bytes]) -> Iterator[str]:
    """The lines without their ends; a very long one is split."""
    while line := file.readline(LONGEST_LINE):
        yield line.decode("utf-8", "replace").removeprefix("\ufeff").rstrip("\r\n")


def _conversation(title: str, lines: list[str]) -> Conversation:
    named = next((found for line in lines[:2] if (found := _NAMED.fullmatch(line))), None)
    nodes: list[ForeignNode] = []
    said: list[str] = []
    fences = Fences()
    for line in [*lines, "## "]:
        if fences.is_code(line) or not line.startswith("## "):
            said.append(line)
            continue
        if nodes:
            _fill(nodes[-1], said)
        said.clear()
        if line != "## ":
            nodes.append(_node(line[3:], nodes))
    return Conversation(
        "markdown",
        named[2] if named else None,
        title,
        nodes,
        nodes[-1].key if nodes else None,
        named[1] if named else None,
    )


def _node(heading: str, before: list[ForeignNode]) -> ForeignNode:
    """A message from its heading: the author, model and time."""
    behind = _BEHIND_AUTHOR.search(heading)
    assert behind  # noqa: S101  (it may be empty)
    author, when = heading[: behind.start()], behind[1]
    who, model = author, None
    if author.endswith(")") and " (" in author:
        who, _, model = author[:-1].partition(" (")
    above = before[-1].key if before else None
    role = "user" if who == "You" else "assistant"
    return ForeignNode(f"message-{len(before)}", above, role, time=when, model=model if role == "assistant" else None)


def _fill(node: ForeignNode, lines: list[str]) -> None:
    """Fill the node: reasoning as such, everything else as text."""
    parts: list[Part] = []
    text: list[str] = []
    folded: list[str] | None = None
    fences = Fences()
    for line in lines:
        is_code = fences.is_code(line)
        if not is_code and line == "<details><summary>Reasoning</summary>":
            parts += _text(text)
            text, folded = [], []
        elif not is_code and line == "</details>":
            if folded is not None:
                parts += [Reasoning(raised("\n".join(folded).strip()))]
            folded = None
        elif folded is not None:
            folded.append(line.removeprefix(">").removeprefix(" "))
        else:
            is_summary = not is_code and line.startswith("<details><summary>")
            text.append(_summary(line) if is_summary else line)
    node.parts = (*parts, *_text(text))


def _summary(line: str) -> str:
    """The summary line of a tool call as text."""
    shown = re.sub(r"</?code>", "`", line.removeprefix("<details><summary>").removesuffix("</summary>"))
    return html.unescape(shown)


def _text(lines: list[str]) -> tuple[Part, ...]:
    said = raised("\n".join(lines).strip("\n"))
    return (Text(said),) if said.strip() else ()
