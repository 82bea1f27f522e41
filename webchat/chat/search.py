"""A search's query and hits: what a message has to contain, and excerpts. Knows no index."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from webchat.chat.folding import folded, place_in

WORDS = 20
"""Different words of a query at most."""
ASKED = 2_000
"""Characters of a query at most."""
TRIGRAMS = 50
"""Trigrams that the index is asked for at most; the messages that have them are compared with the whole query."""
EXCERPT = 70
"""Characters of an excerpt on each side of the match."""
LOOKED_AT = 20_000
"""Characters of a message that are looked through at once for what to show of it."""
LONGEST_WORD = 200
"""Characters of a word that are looked for. Parts of a text overlap by as many, so that no word is missed."""


@dataclass(frozen=True)
class Hit:
    """A message that has all the words; `before`, `match` and `after` are what is shown of its text."""

    session_id: str
    message_id: str
    before: str
    match: str
    after: str


class Found(NamedTuple):
    """The result of a search. If the index is not `complete` yet, a later search may find more.

    `partial`: not the whole query was used, or not all messages were searched.
    """

    hits: list[Hit]
    complete: bool
    partial: bool = False


_folded_title = lru_cache(maxsize=20_000)(folded)


@dataclass(frozen=True)
class TitleQuery:
    """A query for titles: `whole` in one piece, or each of `needles` anywhere; folded."""

    whole: str
    needles: tuple[str, ...]

    def matches(self, title: str) -> bool:
        return self.matches_folded(_folded_title(title))

    def matches_folded(self, flat: str) -> bool:
        """The same for a title that is folded already."""
        return bool(self.needles) and (self.whole in flat or all(needle in flat for needle in self.needles))


def title_query(query: str) -> TitleQuery | None:
    """The query for titles; None if it is blank."""
    asked = query[:ASKED]
    return TitleQuery(folded(asked).strip(), tuple(needles_of(query)[0])) if asked.strip() else None


def needles_of(query: str) -> tuple[list[str], bool]:
    """What a message's folded text has to contain for a query, up to the limit; and whether this is all.

    A word is found anywhere, one of two letters or digits where a word begins, one of a single character as a word.
    """
    words = dict.fromkeys(query[:ASKED].split())
    found = dict.fromkeys(needle for word in words if (needle := _needle(word[:LONGEST_WORD])))
    is_all = len(query) <= ASKED and len(found) <= WORDS and all(len(word) <= LONGEST_WORD for word in words)
    return [*found][:WORDS], is_all


def _needle(word: str) -> str:
    flat = folded(word).strip()
    first = flat.partition(" ")[0]
    begins = len(first) < 3 and (first == flat or first.isalpha())  # else 1.2 would not be found in v1.2
    if len(flat) < 2:
        return f" {flat} " if flat else ""
    return f" {flat}" if begins else flat


def expression(needles: Iterable[str]) -> str:
    """An FTS5 query of trigrams that the needles have: no others are worth comparing. It contains no syntax."""
    grams = dict.fromkeys(needle[at : at + 3] for needle in needles for at in range(len(needle) - 2))
    return " ".join(f'"{gram}"' for gram in islice(grams, TRIGRAMS))


def excerpt(text: str, needles: Sequence[str], is_late: Callable[[], bool]) -> tuple[str, str, str]:
    """An excerpt of a message: the text before the first match, the match, and the text after it.

    Its beginning where none of them is found before `is_late`.
    """
    for start in range(0, len(text), LOOKED_AT):
        if is_late():
            break
        place = _place(text[start : start + LOOKED_AT + LONGEST_WORD], needles)
        if place:
            begin, end = start + place[0], start + place[1]
            before = text[max(0, begin - EXCERPT) : begin]
            after = text[end : end + 2 * EXCERPT - len(before)]
            lead, trail = "…" if begin > EXCERPT else "", "…" if end + len(after) < len(text) else ""
            return lead + _one_line(before), text[begin:end], _one_line(after) + trail
    return "", "", _one_line(text[: 2 * EXCERPT])


def _place(text: str, needles: Sequence[str]) -> tuple[int, int] | None:
    """From where to where the first of these stands in the text, at a word's beginning if there is such a one."""
    flat = folded(text)
    for wanted in ([f" {needle.lstrip()}" for needle in needles], needles):
        starts = [start for needle in wanted if (start := flat.find(needle)) >= 0]
        if starts:
            first = min(starts)
            first += flat[first] == " "
            size = max(len(word) for needle in needles if flat.startswith(word := needle.strip(), first))
            return place_in(text, first, first + size)
    return None


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)
