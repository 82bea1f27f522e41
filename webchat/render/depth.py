"""Limits how deeply lists and quotations are nested."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock

DEEPEST = 40
"""Levels of nesting; a list and its item are two levels. Anything deeper is shown as text."""


def show_depths(parser: MarkdownIt) -> None:
    """Make the parser show too deeply nested blocks as text. By default it drops the tenth nested list."""
    parser.options["maxNesting"] = DEEPEST + 10
    parser.block.ruler.before("table", "deep", _deep)


def _deep(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    if silent or state.level < DEEPEST:
        return False
    last = first + 1
    while last < end and not state.isEmpty(last) and state.sCount[last] >= state.blkIndent:
        last += 1
    state.push("paragraph_open", "p", 1).map = [first, last]
    inline = state.push("inline", "", 0)
    inline.content = state.getLines(first, last, state.blkIndent, False).strip()
    inline.map, inline.children = [first, last], []
    state.push("paragraph_close", "p", -1)
    state.line = last
    return True
