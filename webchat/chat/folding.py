"""Text as a search compares it: folded words with one blank between them. Knows no query and no index."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left

REMEMBERED = 20_000
"""Characters whose folded form is remembered; the others are folded at each occurrence."""
# Written without blanks between words: each character is a word of its own, and what is looked for a row of them.
_NO_BLANKS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_NOT_WRITTEN = re.compile("[\u0640\u20d0-\u20ff\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Decoration of the character before it: the Arabic lengthening, enclosing marks, and emoji or text style."""
_SYMBOLS = "+#"
"""Of ASCII, what tells names apart: C, C++ and C#. The rest is punctuation, and Markdown's."""


class _Folded(dict[int, str]):
    """The folded form of each character: without case and accents, with compatibility forms unified."""

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
    return f" {char} " if is_symbol or _NO_BLANKS.match(char) else char


_FOLDED = _Folded()
_ASCII = {code: chr(code) if chr(code).isalnum() or chr(code) in _SYMBOLS else " " for code in range(128)}


def folded(text: str) -> str:
    """The folded words of a text, each symbol one of its own, with one blank around each; empty if it has none."""
    if text.isascii():
        flat = text.lower().translate(_ASCII)
        for symbol in _SYMBOLS:
            flat = flat.replace(symbol, f" {symbol} ")
    else:
        flat = text.translate(_FOLDED)
    words = flat.split()
    return f" {' '.join(words)} " if words else ""


def place_in(text: str, start: int, end: int) -> tuple[int, int]:
    """Where in a text that is which stands from `start` to `end` in its folded form. Neither is at a blank."""
    first, behind = _length_with(text, start + 1), _length_with(text, end)
    while behind < len(text) and not _FOLDED[ord(text[behind])]:  # an accent belongs to what it stands on
        behind += 1
    return first - 1, behind


def _length_with(text: str, size: int) -> int:
    """The length of the shortest beginning whose folded form has that many characters before its last blank."""
    return bisect_left(range(len(text)), size, key=lambda length: max(len(folded(text[:length])) - 1, 0))
