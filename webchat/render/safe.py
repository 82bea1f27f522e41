"""The HTML that an answer may contain. Everything else is removed, whatever its source."""

from __future__ import annotations

import re

import nh3
from markupsafe import Markup

from webchat.chat.plain import TURNING, one_line

_CELL = set("left right joined-left joined-right apart tight line-above line-below line-left line-right".split())
_CLASSES = {
    "a": {"image", "bare"},
    "button": {"copy"},
    "div": {"footnote", "table"},
    "figure": {"code"},
    "input": {"task-list-item-checkbox"},
    "li": {"task-list-item"},
    "ul": {"contains-task-list"},
    "ol": {"contains-task-list"},
    "mrow": {"boxed", "struck", "line-above", "line-below"},
    "mspace": {"closer"},
    "mtable": _CELL,
    "mtd": _CELL,
}
_MATHEMATICS: dict[str, set[str]] = {
    "annotation": {"encoding"},
    "math": {"display"},
    "mfrac": {"linethickness"},
    "mi": {"mathvariant"},
    "mo": set("form lspace maxsize minsize movablelimits rspace stretchy symmetric".split()),
    "mover": {"accent"},
    "mpadded": {"height", "voffset", "width"},
    "mspace": {"width"},
    "munder": {"accentunder"},
    "munderover": {"accent", "accentunder"},
    **{tag: set() for tag in "mmultiscripts mn mphantom mprescripts mroot mrow msqrt mstyle".split()},
    **{tag: set() for tag in "msub msubsup msup mtable mtd mtext mtr semantics".split()},
}
"""MathML elements and their own attributes. None of them can link, load or run anything."""
_SAFE = nh3.Cleaner(
    tags=set(
        "a blockquote br button code del details div em figcaption figure h3 h4 h5 h6 hr input kbd li mark ol p pre s "
        "small span strong sub summary sup table tbody td th thead tr u ul".split()
    )
    | set(_MATHEMATICS),
    clean_content_tags={"script", "style"},
    attributes={
        "a": {"href", "title"},
        "button": {"type"},
        "code": {"data-language"},
        "details": {"open"},
        "div": {"role", "tabindex", "aria-label"},
        "input": {"type", "checked", "disabled"},
        **{tag: {"dir"} for tag in ("blockquote", "h3", "h4", "h5", "h6", "p", "table", "ul")},
        "ol": {"start", "dir"},
        "span": {"class"},
        "td": {"data-align"},
        "th": {"data-align"},
        **{tag: own | {"displaystyle", "mathcolor", "scriptlevel"} for tag, own in _MATHEMATICS.items()},
    },
    attribute_filter=lambda tag, name, value: _checked(tag, name, value),
    allowed_classes=_CLASSES,
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
)


def _checked(tag: str, name: str, value: str) -> str | None:
    if tag == "span" and name == "class":
        return value if re.fullmatch(r"[a-z0-9]{1,4}|formula", value) else None
    if tag == "input" and name == "type":
        return "checkbox"
    if name == "title":
        return one_line(value)
    if tag == "a" and name == "href" and not re.match(r"https?://|mailto:", value, re.IGNORECASE):
        return None  # a relative link in an answer would lead into this application
    return value


def safe(html: str) -> Markup:
    """The HTML without anything that could run, load or cover the page."""
    # Each control is isolated in its own element: it reorders nothing, and is still there when the text is copied.
    return Markup(TURNING.sub(r'<span class="bidi">\g<0></span>', _SAFE.clean(html)))  # noqa: S704  (made safe here)
