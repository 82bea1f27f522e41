"""Targets of links and pictures: an address that a browser can follow, or text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.normalize_url import normalizeLinkText
from markdown_it.common.utils import escapeHtml
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_ADDRESS = re.compile(r"https?://|mailto:", re.IGNORECASE)
_LINKS = nh3.Cleaner(tags={"a"}, attributes={"a": {"href"}})
"""Drops what its parser of addresses, which is a browser's, refuses."""
_DATA = re.compile(r"data:[^;,]*", re.IGNORECASE)


def show_targets(parser: MarkdownIt) -> None:
    """Make links only of addresses; show any other target after the link's text.

    A relative link would lead into this application, but models link to their own files.
    """
    # The parser accepts every target, so that all are shown alike; what becomes a link is decided here.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    parser.core.ruler.after("inline", "targets", _targets)


def is_address(target: str) -> bool:
    """Whether it leads out of this application, and browsers can follow it: not "http://localhost:PORT/"."""
    if not _ADDRESS.match(target):
        return False
    return "href=" in _LINKS.clean(f'<a href="{escapeHtml(target)}"></a>')


def readable(target: str) -> str:
    """The target as people read it: without escapes, and without the content of a data: URL."""
    data = _DATA.match(target)
    return data[0] if data else normalizeLinkText(target)


def picture_name(token: Token) -> str:
    """The name of a picture."""
    return token.content or "picture"


def _targets(state: StateCore) -> None:
    for token in state.tokens:
        if token.children and any(child.type == "link_open" for child in token.children):
            token.children = [*_with_targets(token.children)]


def _with_targets(tokens: Sequence[Token]) -> Iterator[Token]:
    opened, inner = None, list[Token]()
    for token in tokens:
        if token.type == "link_open":
            opened, inner = token, []
        elif token.type == "link_close" and opened:
            yield from _link(opened, inner, token)
            opened = None
        elif opened:
            inner.append(token)
        else:
            yield token


def _link(opened: Token, inner: list[Token], closed: Token) -> Iterator[Token]:
    address = str(opened.attrs.get("href", ""))
    target = readable(address)
    if is_address(address):
        # A link inside a link would leave the outer one empty, so a picture in a link becomes its name.
        inner = [_text(picture_name(token)) if token.type == "image" else token for token in inner]
        named = any(token.content.strip() for token in inner)
        if not named or [token.content for token in inner] == [target.removeprefix("mailto:")]:
            opened.attrJoin("class", "bare")
        yield from (opened, *inner, *([] if named else [_text(target)]), closed)
    elif opened.markup == "autolink":
        yield _text(f"<{inner[0].content}>")
    elif not target:
        yield from (_text("["), *inner, _text("]()"))
    else:
        yield from inner
        text = "".join(token.content for token in inner)
        if text.strip() != target:
            yield _text(f" ({target})" if text.strip() else target)


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
