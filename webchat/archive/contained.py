"""Embeds a message's Markdown in a longer document: open blocks are closed, and headings rank below the document's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

BELOW = 2
"""Heading levels used by the document itself."""
PASSES = 10
"""The most passes over a text: after a change, more HTML may show up."""
_MAY_NEED_IT = re.compile(
    r"^(?:[ \t>*+\-\d.)]*+(?:#|<|`{3}|~{3}|=++[ \t]*+$)|(?:[ \t>*+\d.)]*+-)++[ \t]*+$)", re.MULTILINE
)
_MARK = re.compile(r"#{1,6}(?=[ \t]|$)")
_LOWERED = re.compile(rf"#{{{BELOW}}}(?=#{{1,4}}(?:[ \t]|$))")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_UNDERLINE = re.compile(r"(?=(?:=+|-+)[ \t]*$)")
_TAG = re.compile(r"^([ \t>*+\-\d.)]*)(?=<)")
_ESCAPED = re.compile(r"^([ \t>*+\-\d.)]*)\\(?=<|(?:=+|-+)[ \t]*$)")


class Fences:
    """Reads a document line by line, and knows which lines are fenced code."""

    def __init__(self) -> None:
        self._mark = ""

    def is_code(self, line: str) -> bool:
        """Take the next line; returns whether it is a fence or inside one."""
        if self._mark:
            if _closes(line, self._mark):
                self._mark = ""
            return True
        if found := _FENCE.match(line):
            self._mark = found[1]
        return found is not None


def contained(text: str) -> str:
    """The text with headings below the document's, without HTML blocks, and with every fence closed."""
    if _MAY_NEED_IT.search(text) is None:
        return text
    lines = text.split("\n")
    for left in reversed(range(PASSES)):
        if not _escape_tags(lines, all_of_them=left == 0):
            break
    for _ in range(PASSES):
        if not _end_blocks(lines):
            break
    _lower_headings(lines)
    return "\n".join(lines)


def raised(text: str) -> str:
    """The inverse of `contained`, as far as it can be known."""
    if _MAY_NEED_IT.search(text) is None and "\\" not in text:
        return text
    lines = text.split("\n")
    code = set[int]()
    for token in _blocks(lines):
        start, end = token.map or (0, 0)
        if token.type in ("fence", "code_block"):
            code.update(range(start, end))
        elif token.type == "heading_open":
            lines[start] = _LOWERED.sub("", lines[start], count=1)
    return "\n".join(
        line if number in code else _ESCAPED.sub(r"\1", line, count=1) for number, line in enumerate(lines)
    )


def _escape_tags(lines: list[str], *, all_of_them: bool) -> bool:
    """Escape HTML blocks; returns whether there were any. Their content may then be other blocks."""
    blocks = [token.map or [0, 0] for token in _blocks(lines) if token.type == "html_block"]
    for start, end in blocks:
        end = end if all_of_them else start + 1
        lines[start:end] = [_TAG.sub(r"\1\\", line, count=1) for line in lines[start:end]]
    return bool(blocks)


def _end_blocks(lines: list[str]) -> bool:
    """Close each fence, and leave no underlined heading in a quote or list; returns whether anything was changed."""
    has_changed = False
    for token in reversed([*_blocks(lines)]):
        start, end = token.map or (0, 0)
        if token.type == "heading_open" and token.level and not token.markup.startswith("#"):
            lines[end - 1] = _UNDERLINE.sub(r"\\", lines[end - 1], count=1)
        elif token.type == "fence" and not _is_closed(lines[start:end], token):
            prefix = lines[start].partition(token.markup)[0]
            lines.insert(end, re.sub(r"[^ \t>]", " ", prefix) + token.markup)
        else:
            continue
        has_changed = True
    return has_changed


def _lower_headings(lines: list[str]) -> None:
    for token in reversed([*_blocks(lines)]):
        start, end = token.map or (0, 0)
        if token.type != "heading_open":
            continue
        if token.markup.startswith("#"):
            lines[start] = _MARK.sub(lambda mark: "#" * min(6, len(mark[0]) + BELOW), lines[start], count=1)
        else:
            words = " ".join(line.strip() for line in lines[start : end - 1])
            lines[start:end] = [f"{'#' * (int(token.tag[1]) + BELOW)} {words}"]


def _blocks(lines: list[str]) -> Iterator[Token]:
    return (token for token in _parser().parse("\n".join(lines)) if token.map)


@cache
def _parser() -> MarkdownIt:
    """A parser as other programs use it, with HTML."""
    return MarkdownIt("commonmark").disable("inline")


def _is_closed(fence: list[str], token: Token) -> bool:
    """Whether the last of these lines closes the fence. In quotes it has the same marks before it as the first line."""
    marks = fence[0].partition(token.markup)[0].count(">")
    last = re.sub(rf"^(?:[ \t]*>){{0,{marks}}}[ \t]*", "", fence[-1]) if token.level else fence[-1]
    return len(fence) > 1 and _closes(last, token.markup)


def _closes(line: str, mark: str) -> bool:
    """Whether the line closes the fence that this mark has opened."""
    return re.fullmatch(rf" {{0,3}}{re.escape(mark[0])}{{{len(mark)},}}[ \t]*", line) is not None
