"""Computes what turns one state of growing HTML into the next: where to append, and what. Knows no page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import unescape

_TAG = re.compile(r'<(/?)([a-zA-Z][^\s/>]*+)(?:[^>"]|"[^"]*+")*+>')
_VOID = frozenset(("br", "hr", "img", "input", "wbr"))
_UNDIVIDED = frozenset(("math", "svg"))
"""Elements whose content can be parsed as HTML only together with them."""
_LONGEST_REFERENCE = 12
"""The most characters of a character reference such as "&nbsp;"."""


@dataclass(frozen=True)
class Growth:
    """The path starts at the root and leads each time to the last child element but `path[i]`.

    At the end of that element, the last `elements` elements are removed with everything after them, then `letters` of
    text (in UTF-16 units). `added[0]` is appended there; `added[1]` replaces everything after that element, and so on
    outwards.
    """

    path: tuple[int, ...]
    elements: int
    letters: int
    added: tuple[str, ...]


@dataclass(frozen=True)
class _Rest:
    """What follows a position in one of the elements that are open there; `name` is the element's name."""

    html: str
    elements: int
    name: str = ""


@lru_cache(maxsize=16)
def growth(before: str, after: str) -> Growth | None:
    """What turns `before` into `after`, both complete and sanitised; None if they are equal. Cached."""
    if before == after:
        return None
    before, after = str(before), str(after)  # a Markup would escape and wrap each piece
    place = _common(before, after)
    old = [*_rests(before[place:])]
    while undivided := next((rest.name for rest in old if rest.name in _UNDIVIDED), None):
        place = before.rindex(f"<{undivided}", 0, place)
        old = [*_rests(before[place:])]
    new = [rest.html for rest in _rests(after[place:])]
    path = tuple(rest.elements for rest in reversed(old[1:]))
    while len(new) > 1 and old[len(new) - 1].html == new[-1]:
        new.pop()
    text = unescape(old[0].html.partition("<")[0])
    return Growth(path, old[0].elements, len(text.encode("utf-16-le", "surrogatepass")) // 2, tuple(new))


def _common(one: str, other: str) -> int:
    """The length of the common prefix, up to the last position that is not inside a tag or character reference."""
    place, end = 0, min(len(one), len(other))
    while place < end:
        middle = (place + end + 1) // 2
        if one[place:middle] == other[place:middle]:
            place = middle
        else:
            end = middle - 1
    reference = one.rfind("&", max(0, place - _LONGEST_REFERENCE), place)
    if reference >= 0 and ";" not in one[reference:place]:
        place = reference
    tag = one.rfind("<", 0, place)
    return tag if tag >= 0 and ">" not in one[tag:place] else place


def _rests(html: str) -> Iterator[_Rest]:
    """What follows a position in each element that is open there, from the innermost to the root."""
    start = depth = elements = 0
    for tag in _TAG.finditer(html):
        if not tag[1]:
            elements += depth == 0
            depth += tag[2] not in _VOID
        elif depth:
            depth -= 1
        else:
            yield _Rest(html[start : tag.start()], elements, tag[2])
            start, elements = tag.end(), 0
    yield _Rest(html[start:], elements)
