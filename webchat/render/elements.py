"""Renders an answer's elements as HTML: code, tables, headings, pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from webchat.render.colours import coloured
from webchat.render.formulas import formula
from webchat.render.targets import is_address, picture_name, readable

LONGEST_INFO = 40
"""Characters of what is written behind a fence that are shown with the language, such as a file's name."""
_ATTRIBUTES = re.compile(r"\{|[\w-]+=[\"'{]|\.\w")
"""Begins what some programs read behind a language, as in `title="a.py"` and `{.numberLines}`."""
_NAME = re.compile("[:,{]")
"""Ends a language's name, as in "python:src/main.py" and "rust,no_run"."""


def _heading(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    # The page's own headings are h1 and h2; an answer's are below them.
    tokens[index].tag = f"h{min(6, int(tokens[index].tag[1]) + 2)}"
    return self.renderToken(tokens, index, options, env)


def code_block(code: str, info: str, *, grows: bool = False) -> str:
    """A code block with its language and a Copy button. It is highlighted only once it is complete."""
    words = info.split()
    language = words[0] if words else ""
    shown = escapeHtml(code) if grows else coloured(code, _NAME.split(language, maxsplit=1)[0])
    return (
        f'<figure class="code"><figcaption><span>{escapeHtml(" ".join(words)[:LONGEST_INFO]) or "text"}</span>'
        f'<button type="button" class="copy">Copy</button></figcaption><pre><code>{shown}</code></pre></figure>\n'
    )


def _fence(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    token, grows = tokens[index], bool(env.get("open"))
    if token.info.strip() == "math" and not grows and (made := formula(token.content, display=True)):
        return f"<p>{made}</p>\n"  # GitHub's and GitLab's notation
    language, *behind = token.info.split(maxsplit=1) or [""]
    if behind and not (grows or token.content.strip() or _ATTRIBUTES.match(behind[0])):
        return code_block(f"{behind[0]}\n", language)  # code that a model wrote on the line of the fence
    return code_block(token.content, token.info, grows=grows)


def _image(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    # A remote picture would tell its server that somebody is reading this; a link does so only when it is followed.
    token = tokens[index]
    address, name = str(token.attrs.get("src", "")), picture_name(token)
    if is_address(address):
        return f'<a class="image" href="{escapeHtml(address)}">{escapeHtml(name)}</a>'
    target = readable(address)
    if not target:
        return escapeHtml(f"![{token.content}]()")
    return escapeHtml(f"{token.content} ({target})" if token.content else target)


def _cell(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    # markdown-it sets a style attribute for the alignment, which the Content-Security-Policy forbids.
    token = tokens[index]
    align = str(token.attrs.get("style", "")).removeprefix("text-align:")
    return f'<{token.tag} data-align="{align}">' if align in ("left", "center", "right") else f"<{token.tag}>"


def _table(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    table = self.renderToken(tokens, index, options, env)
    return f'<div class="table" role="region" tabindex="0" aria-label="Table">{table}'


RULES = {
    "heading_open": _heading,
    "heading_close": _heading,
    "fence": _fence,
    "code_block": _fence,
    "image": _image,
    "th_open": _cell,
    "td_open": _cell,
    "table_open": _table,
    "table_close": lambda *_: "</table></div>\n",
}
