"""The Markdown dialect of answers at a terminal: whatever cannot be shown in another way is shown as it is written."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

from webchat.render.tags import read_tags


def dialect() -> MarkdownIt:
    """A new parser, for rich's renderer, which would leave out HTML and definitions without a word.

    Definitions are text: an answer is printed block by block, so a link may be printed long before its address.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("reference")
    read_tags(parser)
    parser.core.ruler.after("inline", "breaks", _breaks)
    return parser


def _breaks(state: StateCore) -> None:
    # Rich knows only Markdown's own.
    for token in state.tokens:
        for child in token.children or ():
            if child.type == "br":
                child.type = "hardbreak"
