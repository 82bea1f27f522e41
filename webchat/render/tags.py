"""The few inline HTML tags that models write, mostly because Markdown has no syntax for them. All others stay text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from markdown_it import MarkdownIt
from markdown_it.common.utils import normalizeReference, replaceEntityPattern
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

LONGEST = 200
"""The most characters between two tags, which limits the search for the closing one."""
DEEPEST, MOST_BETWEEN = 8, 16
"""How deeply tags are nested at most, and how many are between two that belong together; others stay text."""
LONGEST_TAG = 600
"""The most characters of the tag of a link or picture, with its attributes."""
_NAMES = {
    **{name: name for name in ("sub", "sup", "kbd", "u", "mark", "em", "strong", "s", "del", "code", "small")},
    "b": "strong",
    "i": "em",
    "ins": "u",
    "strike": "s",
}
"""The element for each tag."""
_LINE_BREAK = re.compile(r"<br\s*/?>(?:[ \t]*\n[ \t]*)?", re.IGNORECASE)
_ATTRIBUTES = r"""(?:\s(?:[^<>"']|"[^"]*+"|'[^']*+')*+)?"""
_LINK = re.compile(rf"<(/?)(a){_ATTRIBUTES}>", re.IGNORECASE)
_PICTURE = re.compile(rf"<img(?=\s){_ATTRIBUTES}>", re.IGNORECASE)
_VALUES = re.compile(r"""\s([\w:-]++)=(?:"([^"]*)"|'([^']*)')""")
_REFERENCE = re.compile(r"&([a-z][a-z0-9]{1,31}|#\d{1,7}|#x[0-9a-f]{1,6});", re.IGNORECASE)
_LINKED = re.compile(r"\][\[(]|<(?:a|img)\s|<[a-z][a-z0-9+.-]{1,31}:", re.IGNORECASE)
_LABEL = re.compile(r"\[([^\[\]]+)\]")
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
    if picture := _PICTURE.match(state.src, state.pos, _tag_end(state)):
        return _push_picture(state, picture, silent=silent)
    opening = _TAG.match(state.src, state.pos, state.posMax) or _link(state)
    closing = _closing(state, opening) if opening and not opening[1] and state.level < DEEPEST else None
    if opening is None or closing is None:
        return False
    if not silent:
        _push(state, opening, closing)
    state.pos = closing.end()
    return True


def _tag_end(state: StateInline) -> int:
    return min(state.posMax, state.pos + LONGEST_TAG)


def _link(state: StateInline) -> re.Match[str] | None:
    """The tag of a link with a target that begins here."""
    opening = _LINK.match(state.src, state.pos, _tag_end(state)) if not state.linkLevel else None
    return opening if opening and not opening[1] and _target(state, opening[0], "href") else None


def _has_link(state: StateInline, text: str) -> bool:
    """Whether there is a link or picture in a text: a link around it would hide where one of them leads."""
    known = state.env.get("references", {})
    return bool(_LINKED.search(text)) or any(normalizeReference(label) in known for label in _LABEL.findall(text))


def _target(state: StateInline, tag: str, attribute: str) -> str:
    """The value of an attribute that is an address; "" if there is none, or none that the parser accepts."""
    url = state.md.normalizeLink(_values(tag).get(attribute, ""))
    return url if state.md.validateLink(url) else ""


def _values(tag: str) -> dict[str, str]:
    return {found[1].lower(): _decoded(found[2] or found[3] or "").strip() for found in _VALUES.finditer(tag)}


def _decoded(text: str) -> str:
    """The text without its character references. Those that do not end with ";" are parameters of an address."""
    return _REFERENCE.sub(lambda found: replaceEntityPattern(found[0], found[1]), text)


def _closing(state: StateInline, opening: re.Match[str]) -> re.Match[str] | None:
    """The closing tag; None if there is none near enough, nothing before it, or a link in a link."""
    depth, name = 1, opening[2].lower()
    end = min(state.posMax, opening.end() + LONGEST + len(opening[0]) + 1)
    tags = _LINK if name == "a" else _TAG
    for tag in islice(tags.finditer(state.src, opening.end(), end), MOST_BETWEEN):
        if tag[2].lower() == name:
            depth += -1 if tag[1] else 1
        if depth == 0:
            text = state.src[opening.end() : tag.start()]
            return tag if text.strip() and not (name == "a" and _has_link(state, text)) else None
    return None


def _push(state: StateInline, opening: re.Match[str], closing: re.Match[str]) -> None:
    tag, end = opening[2].lower(), state.posMax
    name = "link" if tag == "a" else _NAMES[tag]
    if name == "code":
        state.push("code_inline", "code", 0).content = _decoded(state.src[opening.end() : closing.start()])
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
