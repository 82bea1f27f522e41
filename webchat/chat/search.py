"""A search's query and hits: folded words, and excerpts. Knows no index."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

WORDS = 20
"""Different words of a query at most."""
ASKED = 2_000
"""Characters of a query at most."""
EXCERPT = 70
"""Characters of an excerpt on each side of the match."""
LOOKED_AT = 20_000
"""Characters of a message that are looked through at once for what to show of it."""
LONGEST_WORD = 200
"""Characters of a word that are looked for. Parts of a text overlap by as many, so that no word is missed."""
# Written without blanks between words: each character is a word of its own, and what is looked for a row of them.
_NO_BLANKS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


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


def folded(text: str) -> str:
    """The folded text: without case and accents, with compatibility forms unified."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text)
    return "".join(char for char in apart if not unicodedata.combining(char)).casefold()


_folded_title = lru_cache(maxsize=20_000)(folded)


@dataclass(frozen=True)
class TitleQuery:
    """A query for titles: `needle` anywhere, or words with each of `words` as prefix; folded."""

    needle: str
    words: tuple[str, ...]

    def matches(self, title: str) -> bool:
        flat = _folded_title(title)
        return self.needle in flat or all(f" {word}" in f" {flat}" for word in self.words)


def title_query(query: str) -> TitleQuery | None:
    """The query for titles; None if it is blank."""
    needle = folded(query[:ASKED]).strip()
    return TitleQuery(needle, tuple(words_of(query)[0])) if needle else None


def words_of(query: str) -> tuple[list[str], bool]:
    """The different words of a query, folded, up to the limit; and whether these are all."""
    found = dict.fromkeys(folded(query[:ASKED]).split())
    words = list(dict.fromkeys(word[:LONGEST_WORD] for word in found))[:WORDS]
    is_all = len(query) <= ASKED and len(found) <= WORDS and all(len(word) <= LONGEST_WORD for word in found)
    return words, is_all


def spaced(text: str) -> str:
    """The text as it is indexed."""
    return _NO_BLANKS.sub(r" \g<0> ", folded(text))


def expression(words: Iterable[str]) -> str:
    """The FTS5 query: all words, each as a prefix. Quoted, they contain no syntax."""
    quoted = (spaced(word).replace('"', " ").strip() for word in words)
    parts = [f'"{word}" *' for word in quoted if any(char.isalnum() for char in word)]
    return " ".join(parts) or '""'


def excerpt(text: str, words: Sequence[str], is_late: Callable[[], bool]) -> tuple[str, str, str]:
    """An excerpt of a message: the text before the first match, the match, and the text after it.

    Its beginning where none of them is found before `is_late`.
    """
    for start in range(0, len(text), LOOKED_AT):
        if is_late():
            break
        place = _place(text[start : start + LOOKED_AT + LONGEST_WORD], words)
        if place:
            begin, end = start + place[0], start + place[1]
            before = text[max(0, begin - EXCERPT) : begin]
            after = text[end : end + 2 * EXCERPT - len(before)]
            lead, trail = "…" if begin > EXCERPT else "", "…" if end + len(after) < len(text) else ""
            return lead + _one_line(before), text[begin:end], _one_line(after) + trail
    return "", "", _one_line(text[: 2 * EXCERPT])


def _place(text: str, words: Sequence[str]) -> tuple[int, int] | None:
    """From where to where the first of these words stands in the text, at a word's beginning if there is such a one."""
    flat = folded(text)
    if not any(word in flat for word in words):
        return None
    parts = [folded(char) for char in text] if not text.isascii() else None
    flat = "".join(parts) if parts else flat
    found = (re.search(rf"(?<!\w){re.escape(word)}", flat) for word in words)
    starts = [match.start() for match in found if match] or [place for word in words if (place := flat.find(word)) >= 0]
    if not starts:
        return None
    start = min(starts)
    return _places(parts, start, start + max(len(word) for word in words if flat.startswith(word, start)))


def _places(parts: list[str] | None, start: int, end: int) -> tuple[int, int]:
    """Where in the text that is which stands from `start` to `end` in its folded form."""
    if parts is None:
        return start, end
    place, found = 0, []
    for number, part in enumerate(parts):
        if place <= start < place + len(part):
            found.append(number)
        place += len(part)
        if found and place >= end:
            return found[0], number + 1
    return (found[0] if found else 0), len(parts)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)
