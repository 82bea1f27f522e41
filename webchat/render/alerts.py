"""Quotations that begin with "[!NOTE]", as on GitHub: the mark becomes a word."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

_MARK = re.compile(r"\[!(note|tip|important|warning|caution|info|danger)\][+-]?(?=\s|$)", re.IGNORECASE)


def name_alerts(parser: MarkdownIt) -> None:
    """Make the parser show the mark as the first, bold word of the quotation."""
    parser.core.ruler.after("block", "alerts", _alerts)


def _alerts(state: StateCore) -> None:
    for quotation, _, text in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        if quotation.type == "blockquote_open" and text.type == "inline":
            text.content = _named(text.content)


def _named(content: str) -> str:
    mark = _MARK.match(content)
    return f"**{mark[1].capitalize()}**{content[mark.end() :]}" if mark else content
