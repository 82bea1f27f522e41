"""Code blocks that contain others with the same fences, as when a model writes a document into one."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, fence

_MARK = re.compile(r"(`{3,}+|~{3,}+)([^`]*+)$")
_LANGUAGE = re.compile(r"[\w+#.-]+$")


def nest_fences(parser: MarkdownIt) -> None:
    """Make a code block end at its own closing fence, not at that of a block inside it.

    A fence with a language opens an inner block, which the next bare fence closes. If no fence is left for the outer
    block, it ends at the first one, as in CommonMark; while the text still grows (`env["open"]`), it stays open.
    """
    parser.block.ruler.at("fence", _fence, {"alt": ["paragraph", "reference", "blockquote", "list"]})


def _fence(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    opening = None if silent or state.is_code_block(first) else _mark(state, first)
    last = _closing(state, first, end, opening[0]) if opening else None
    if opening is None or last is None:
        return fence(state, first, end, silent)
    token = state.push("fence", "code", 0)
    token.markup, token.info = opening
    token.content = state.getLines(first + 1, last, state.sCount[first], True)
    state.line = min(last + 1, end)
    token.map = [first, state.line]
    return True


def _closing(state: StateBlock, first: int, end: int, markup: str) -> int | None:
    """The line that closes a block that contains others; None if it contains none, or no closing line is left."""
    is_inside = nested = False
    for line in range(first + 1, end):
        if state.sCount[line] < state.blkIndent and not state.isEmpty(line):
            return None
        mark = None if state.is_code_block(line) else _mark(state, line)
        if mark is None or not mark[0].startswith(markup):
            continue
        if _LANGUAGE.match(mark[1]):
            if is_inside:
                return None  # a fence is missing, and it is unknown which
            is_inside = nested = True
        elif not mark[1] and is_inside:
            is_inside = False
        elif not mark[1]:
            return line if nested else None
    return end if nested and state.env.get("open") else None


def _mark(state: StateBlock, line: int) -> tuple[str, str] | None:
    """The fence on a line, and the text after it."""
    begin = state.bMarks[line] + state.tShift[line]
    if state.src[begin : begin + 1] not in ("`", "~"):
        return None
    mark = _MARK.match(state.src, begin, state.eMarks[line])
    return (mark[1], mark[2].strip(" \t")) if mark else None
