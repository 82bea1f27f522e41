"""Underlined headings. Models write "---" below a paragraph as a line, where CommonMark reads a heading."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, lheading

_ENDS = tuple(".!:;,…。！：；，")
"""Ends of a sentence, or of a line that introduces something."""


def underline_titles_only(parser: MarkdownIt) -> None:
    """Make the parser take a text above dashes for a heading only if it is one line that ends no sentence."""
    parser.block.ruler.at("lheading", _heading)


def _heading(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    begun, line = len(state.tokens), state.line
    if not lheading(state, first, end, silent):
        return False
    _, text, closed = state.tokens[begun:]
    if closed.markup == "-" and ("\n" in text.content or text.content.rstrip("*_`\"'”’)）").endswith(_ENDS)):
        del state.tokens[begun:]
        state.line = line
        return False
    return True
