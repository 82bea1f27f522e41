"""Search queries and hits: what a message must contain, and its excerpts. Knows no index."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from webchat.chat.folding import folded, place_in

WORDS = 20
"""The most distinct words of a query."""
ASKED = 2_000
"""The most characters of a query."""
TRIGRAMS = 50
"""The most trigrams to ask the index for; messages that have them are then compared with the whole query."""
EXCERPT = 70
"""Characters of an excerpt on each side of the match."""
LOOKED_AT = 20_000
"""Characters of a message to search at a time for its excerpt."""
LONGEST_WORD = 200
"""Characters of a word to search for. The parts of a text overlap by as many, so that no word is missed."""


@dataclass(frozen=True)
class Hit:
    """A message with all the words; `before`, `match` and `after` are its excerpt."""

    session_id: str
    message_id: str
    before: str
    match: str
    after: str


class Found(NamedTuple):
    """The result of a search. Until the index is `complete`, a later search may find more.

    `partial`: only a part of the query was used, or only a part of the messages was searched.
    """

    hits: list[Hit]
    complete: bool
    partial: bool = False


_folded_title = lru_cache(maxsize=20_000)(folded)


@dataclass(frozen=True)
class TitleQuery:
    """A folded query for titles: they match if they contain `whole`, or all of `needles`."""

    whole: str
    needles: tuple[str, ...]

    def matches(self, title: str) -> bool:
        return self.matches_folded(_folded_title(title))

    def matches_folded(self, flat: str) -> bool:
        """The same for a title that is already folded."""
        return bool(self.needles) and (self.whole in flat or all(needle in flat for needle in self.needles))


def title_query(query: str) -> TitleQuery | None:
    """The query for titles; None if it is blank."""
    asked = query[:ASKED]
    return TitleQuery(folded(asked).strip(), tuple(needles_of(query)[0])) if asked.strip() else None


def is_wordless(query: str) -> bool:
    """Whether the query has nothing to search for but punctuation, which is not indexed."""
    return bool(query.strip()) and not needles_of(query)[0]


def needles_of(query: str) -> tuple[list[str], bool]:
    """The texts that a message's folded text must contain, up to the limit; and whether these are all.

    A word matches anywhere, one of two letters or digits only at the beginning of a word, and a single character only
    as a whole word.
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
    """An FTS5 query for the needles' trigrams, without syntax of its own: only messages with these can match."""
    grams = dict.fromkeys(needle[at : at + 3] for needle in needles for at in range(len(needle) - 2))
    return " ".join(f'"{gram}"' for gram in islice(grams, TRIGRAMS))


def excerpt(text: str, needles: Sequence[str], is_late: Callable[[], bool]) -> tuple[str, str, str]:
    """An excerpt of a message: the text before the first match, the match, and the text after it.

    The message's beginning if no match is found before `is_late`.
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
    """The start and end of the first match in the text, preferably at the beginning of a word."""
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
