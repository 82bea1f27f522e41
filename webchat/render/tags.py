"""The few inline HTML tags that models write, mostly because Markdown has no syntax for them. All others stay text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from itertools import islice

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

LONGEST = 200
"""The most characters between two tags, which limits the search for the closing one."""
DEEPEST, MOST_BETWEEN = 8, 16
"""How deeply tags are nested at most, and how many are between two that belong together; others stay text."""
_NAMES = {
    **{name: name for name in ("sub", "sup", "kbd", "u", "mark", "em", "strong", "s", "del", "code", "small")},
    "b": "strong",
    "i": "em",
    "ins": "u",
    "strike": "s",
}
"""The element for each tag."""
_LINE_BREAK = re.compile(r"<br\s*/?>(?:[ \t]*\n[ \t]*)?", re.IGNORECASE)
_LINK = re.compile(r"<(/?)(a)(?:\s[^<>]{0,500})?>", re.IGNORECASE)
_PICTURE = re.compile(r"<img\s[^<>]{1,500}>", re.IGNORECASE)
_VALUES = re.compile(r"""\s(href|src|alt)=(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_TAG = re.compile(rf"<(/?)({'|'.join(_NAMES)})\s*>", re.IGNORECASE)


def read_tags(parser: MarkdownIt) -> None:
    """Make the parser accept `<br>`, also in table cells, pairs such as `<sub>` and `</sub>`, links and pictures."""
    parser.inline.ruler.before("autolink", "tag", _tag)
    parser.add_render_rule("br", _break)


def _tag(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] != "<":
        return False
    if found := _LINE_BREAK.match(state.src, state.pos, state.posMax):
        if not silent:
            state.push("br", "br", 0)
        state.pos = found.end()
        return True
    if picture := _PICTURE.match(state.src, state.pos, state.posMax):
        return _push_picture(state, picture, silent=silent)
    opening = _TAG.match(state.src, state.pos, state.posMax) or _link(state)
    closing = _closing(state, opening) if opening and not opening[1] and state.level < DEEPEST else None
    if opening is None or closing is None:
        return False
    if not silent:
        _push(state, opening, closing)
    state.pos = closing.end()
    return True


def _link(state: StateInline) -> re.Match[str] | None:
    """The tag of a link with a target that begins here."""
    opening = _LINK.match(state.src, state.pos, state.posMax) if not state.linkLevel else None
    return opening if opening and not opening[1] and _target(state, opening[0], "href") else None


def _target(state: StateInline, tag: str, attribute: str) -> str:
    """The value of an attribute that is an address; "" if there is none, or none that the parser accepts."""
    url = state.md.normalizeLink(_values(tag).get(attribute, ""))
    return url if state.md.validateLink(url) else ""


def _values(tag: str) -> dict[str, str]:
    return {found[1].lower(): unescape(found[2] or found[3] or "").strip() for found in _VALUES.finditer(tag)}


def _closing(state: StateInline, opening: re.Match[str]) -> re.Match[str] | None:
    """The closing tag; None if there is none near enough, or nothing before it."""
    depth, name = 1, opening[2].lower()
    end = min(state.posMax, opening.end() + LONGEST + len(opening[0]) + 1)
    tags = _LINK if name == "a" else _TAG
    for tag in islice(tags.finditer(state.src, opening.end(), end), MOST_BETWEEN):
        if tag[2].lower() == name:
            depth += -1 if tag[1] else 1
        if depth == 0:
            return tag if state.src[opening.end() : tag.start()].strip() else None
    return None


def _push(state: StateInline, opening: re.Match[str], closing: re.Match[str]) -> None:
    tag, end = opening[2].lower(), state.posMax
    name = "link" if tag == "a" else _NAMES[tag]
    if name == "code":
        state.push("code_inline", "code", 0).content = unescape(state.src[opening.end() : closing.start()])
        return
    opened = state.push(f"{name}_open", _NAMES.get(tag, tag), 1)
    if name == "link":
        opened.attrs = {"href": _target(state, opening[0], "href")}
        state.linkLevel += 1
    state.pos, state.posMax = opening.end(), closing.start()
    state.md.inline.tokenize(state)
    state.posMax = end
    state.linkLevel -= name == "link"
    state.push(f"{name}_close", _NAMES.get(tag, tag), -1)


def _push_picture(state: StateInline, tag: re.Match[str], *, silent: bool) -> bool:
    url = _target(state, tag[0], "src")
    if url and not silent:
        picture = state.push("image", "img", 0)
        picture.attrs, picture.children = {"src": url, "alt": ""}, []
        picture.content = _values(tag[0]).get("alt", "")
    state.pos = tag.end() if url else state.pos
    return bool(url)


def _break(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    return "<br>"
