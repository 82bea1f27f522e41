"""Where links and pictures lead: to an address that a browser can follow, or to a target that is shown as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.common.normalize_url import normalizeLinkText
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_ADDRESS = re.compile(r"https?://|mailto:", re.IGNORECASE)
_DATA = re.compile(r"data:[^;,]*", re.IGNORECASE)


def show_targets(parser: MarkdownIt) -> None:
    """Make links of addresses only, and show the target of every other link behind its text.

    A relative link would lead into this application, and what a model links to are files of its own.
    """
    # Every target is taken from its brackets, so that it is shown in one way; what becomes a link is decided here.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    parser.core.ruler.after("inline", "targets", _targets)


def is_address(target: str) -> bool:
    """Whether it leads out of this application."""
    return _ADDRESS.match(target) is not None


def readable(target: str) -> str:
    """The target for people: without escapes, and without the data that it may consist of."""
    data = _DATA.match(target)
    return data[0] if data else normalizeLinkText(target)


def picture_name(token: Token) -> str:
    """What a picture is called."""
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
        # One link in another would leave the outer one empty: a picture in a link is its name.
        inner = [_text(picture_name(token)) if token.type == "image" else token for token in inner]
        named = any(token.content.strip() for token in inner)
        yield from (opened, *inner, *([] if named else [_text(target)]), closed)
    elif opened.markup == "autolink":
        yield _text(f"<{inner[0].content}>")
    else:
        yield from inner
        text = "".join(token.content for token in inner)
        if text.strip() != target:
            yield _text(f" ({target})" if text.strip() else target)


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
