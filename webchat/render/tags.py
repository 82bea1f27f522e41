"""The few HTML tags that models write because Markdown has no syntax for them. All others stay text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

LONGEST = 200
"""The most characters between the two tags, which limits the search for the closing one."""
_TAG = re.compile(rf"<br\s*/?>|<(?P<name>sub|sup|kbd)>(?P<inner>[^<]{{1,{LONGEST}}})</(?P=name)>", re.IGNORECASE)


def read_tags(parser: MarkdownIt) -> None:
    """Make the parser accept `<br>`, also in table cells, and pairs of `<sub>`, `<sup>` and `<kbd>`."""
    parser.inline.ruler.before("autolink", "tag", _tag)
    parser.add_render_rule("br", _break)


def _tag(state: StateInline, silent: bool) -> bool:
    found = _TAG.match(state.src, state.pos, state.posMax) if state.src[state.pos] == "<" else None
    if found is None:
        return False
    if not silent:
        _push(state, found)
    state.pos = found.end()
    return True


def _push(state: StateInline, found: re.Match[str]) -> None:
    if not found["name"]:
        state.push("br", "br", 0)
        return
    name, end = found["name"].lower(), state.posMax
    state.push(f"{name}_open", name, 1)
    state.pos, state.posMax = found.span("inner")
    state.md.inline.tokenize(state)
    state.posMax = end
    state.push(f"{name}_close", name, -1)


def _break(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    return "<br>"
