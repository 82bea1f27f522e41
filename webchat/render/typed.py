"""Renders people's messages: as typed, except for fenced code."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from webchat.render.elements import code_block
from webchat.render.rendered import Rendered
from webchat.render.safe import safe

KEPT_CHARACTERS = 4 * 2**20
"""The size of the cache of messages with code and their HTML, in characters."""
_FENCE = re.compile(
    r"^(?P<indent> {0,3})(?P<mark>`{3,}+|~{3,}+)[ \t]*+(?P<info>[^`\n]*+)\n"
    r"(?P<code>.*?)(?:^ {0,3}(?P=mark)[`~]*[ \t]*$\n?|\Z)",
    re.M | re.S,
)


def typed(text: str) -> Markup:
    """The text exactly as typed, with code blocks rendered like those of answers. Line ends must be "\\n"."""
    return _kept.get(text) if "```" in text or "~~~" in text else _plain(text)


def _rendered(text: str) -> Markup:
    html, end = Markup(), 0
    for block in _FENCE.finditer(text):
        html += _plain(text[end : block.start()].removesuffix("\n")) if block.start() > end else Markup()
        html += safe(code_block(_code(block), block["info"]))
        end = block.end()
    return html + (_plain(text[end:]) if text[end:] or not html else Markup())


def _code(block: re.Match[str]) -> str:
    """The code without the indentation of its fence, as in Markdown."""
    indent = len(block["indent"])
    return re.sub(f"^ {{1,{indent}}}", "", block["code"], flags=re.M) if indent else block["code"]


def _plain(text: str) -> Markup:
    return Markup('<p class="plain">{}</p>').format(escape(text))


_kept = Rendered(_rendered, KEPT_CHARACTERS)
