"""The Markdown of answers at a terminal: the page's dialect. What cannot be shown otherwise is shown as written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from webchat.render.alerts import name_alerts
from webchat.render.depth import show_depths
from webchat.render.emphasis import friendly_to_all_scripts
from webchat.render.fences import nest_fences
from webchat.render.formulas import keep_formulas, read_formulas
from webchat.render.headings import underline_titles_only
from webchat.render.lists import join_lists
from webchat.render.tables import keep_cells
from webchat.render.tags import read_tags

AS_ON_THE_PAGE = (
    friendly_to_all_scripts,
    join_lists,
    keep_cells,
    keep_formulas,
    name_alerts,
    nest_fences,
    read_formulas,
    read_tags,
    show_depths,
    underline_titles_only,
)


def dialect() -> MarkdownIt:
    """A new parser, for rich's renderer, which would leave out HTML and definitions without a word.

    Definitions are text: an answer is printed block by block, so a link may be printed long before its address.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("reference")
    for extend in AS_ON_THE_PAGE:
        extend(parser)
    parser.core.ruler.after("inline", "known", _known_to_rich)
    return parser


def _known_to_rich(state: StateCore) -> None:
    for token in state.tokens:
        for child in token.children or ():
            if child.type in ("br", "softbreak"):
                child.type = "hardbreak"  # line breaks in a chat are deliberate
            elif child.type == "formula":
                child.type, child.content = "text", child.markup
        if token.children:
            token.children = [*_without_own_addresses(token.children)]


def _without_own_addresses(tokens: Sequence[Token]) -> Iterator[Token]:
    """The tokens without the links whose text is their address, which would be printed twice."""
    closing = -1
    for number, token in enumerate(tokens):
        if _is_own_address(tokens[number : number + 3]):
            closing = number + 2
        elif number != closing:
            yield token


def _is_own_address(tokens: Sequence[Token]) -> bool:
    """Whether these three are a link to the address that is its text, letter by letter.

    The parser decodes the text of `<address>`: it may look like another host, and then the address is needed.
    """
    if [token.type for token in tokens] != ["link_open", "text", "link_close"]:
        return False
    opening, text, _ = tokens
    address = str(opening.attrs["href"])
    return text.content in (address, address.removeprefix("mailto:"))
