"""Normalises text for searching: folded words separated by single spaces. Knows no query and no index."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left

REMEMBERED = 20_000
"""Characters whose folded form is cached; the others are folded each time."""
# Scripts without spaces between words: each character counts as a word, and a query is a sequence of them.
_NO_BLANKS = (
    *("\u0e00\u0eff", "\u1000\u109f", "\u1780\u17ff", "\u2e80\u30ff", "\u3400\u9fff", "\uf900\ufaff"),
    "\U00020000\U0003ffff",
)
"""First and last characters of ranges. As a regular expression they would take 2 ms of each start to compile."""
_NOT_WRITTEN = re.compile("[\u0640\u20d0-\u20ff\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Modifiers of the character before them: Arabic tatweel, enclosing marks, and variation selectors."""
_SYMBOLS = "+#"
"""ASCII symbols that distinguish names, such as C, C++ and C#. The others are punctuation or Markdown."""


class _Folded(dict[int, str]):
    """Maps each character to its folded form: without case and accents, with compatibility forms unified."""

    def __missing__(self, code: int) -> str:
        flat = "".join(map(_folded, unicodedata.normalize("NFKD", chr(code)).casefold()))
        if len(self) < REMEMBERED:
            self[code] = flat
        return flat


def _folded(char: str) -> str:
    kind = unicodedata.category(char)
    if unicodedata.combining(char) or kind == "Cf" or _NOT_WRITTEN.match(char):
        return ""
    is_symbol = char in _SYMBOLS or (kind[0] == "S" and not char.isascii())
    if not is_symbol and kind[0] not in "LMN":
        return " "
    is_word = is_symbol or any(script[0] <= char <= script[1] for script in _NO_BLANKS)
    return f" {char} " if is_word else char


_FOLDED = _Folded()
_ASCII = {code: chr(code) if chr(code).isalnum() or chr(code) in _SYMBOLS else " " for code in range(128)}


def folded(text: str) -> str:
    """The text's folded words, with each symbol as a word, separated and surrounded by single spaces."""
    if text.isascii():
        flat = text.lower().translate(_ASCII)
        for symbol in _SYMBOLS:
            flat = flat.replace(symbol, f" {symbol} ")
    else:
        flat = text.translate(_FOLDED)
    words = flat.split()
    return f" {' '.join(words)} " if words else ""


def place_in(text: str, start: int, end: int) -> tuple[int, int]:
    """The start and end in the text of what is at `start` to `end` in its folded form. Neither may be at a space."""
    first, behind = _length_with(text, start + 1), _length_with(text, end)
    while behind < len(text) and not _FOLDED[ord(text[behind])]:  # an accent belongs to the character before it
        behind += 1
    return first - 1, behind


def _length_with(text: str, size: int) -> int:
    """The length of the shortest prefix whose folded form has that many characters before its last space."""
    return bisect_left(range(len(text)), size, key=lambda length: max(len(folded(text[:length])) - 1, 0))
