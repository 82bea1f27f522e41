"""Footnotes: references become links if the note is defined anywhere in the text; notes are shown where they are
written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from mdit_py_plugins.footnote.index import footnote_def

_REFERENCE = re.compile(r"\[\^([^\]\s]{1,100})\]")


def read_definitions(parser: MarkdownIt) -> None:
    """Make the parser collect definitions of footnotes in its `env`.

    Only this rule of the plugin is used: its others number the notes and move them to the end of the document, which a
    streamed text does not have yet.
    """
    parser.block.ruler.before("reference", "footnote_def", footnote_def, {"alt": ["paragraph", "reference"]})


def mark_references(parser: MarkdownIt) -> None:
    """Make the parser accept references to defined footnotes."""
    parser.inline.ruler.before("link", "footnote_ref", _reference)
    parser.add_render_rule("footnote_ref", _mark)
    parser.add_render_rule("footnote_reference_open", _open)
    parser.add_render_rule("footnote_reference_close", _close)


def _reference(state: StateInline, silent: bool) -> bool:
    found = _REFERENCE.match(state.src, state.pos, state.posMax) if state.src[state.pos] == "[" else None
    if found is None or f":{found[1]}" not in state.env.get("footnotes", {}).get("refs", ()):
        return False
    if not silent:
        state.push("footnote_ref", "", 0).content = found[1]
    state.pos = found.end()
    return True


def _mark(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    return _number(tokens[index].content)


def _open(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    return f'<div class="footnote">{_number(tokens[index].meta["label"])} '


def _close(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    return "</div>\n"


def _number(label: str) -> str:
    return f"<sup>[{escapeHtml(label)}]</sup>"
