"""Sanitises untrusted text for display on one line."""

from __future__ import annotations

import re
import unicodedata

JOINERS = "\u200c\u200d\u00ad"
"""Joiners and non-joiners, which Persian words and emoji families need, for example."""
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Bidirectional control characters."""
_INVISIBLE = re.compile(
    "[\\s\0-\x1f\x7f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]*+"
)
_LINE_ENDS = re.compile("\\s*[\n\r\v\f\x85\u2028\u2029]\\s*")


def shows_nothing(text: str) -> bool:
    """Whether the text has nothing to see."""
    return _INVISIBLE.fullmatch(text) is not None


def one_line(text: str) -> str:
    """The text without control characters, including bidirectional ones, which would affect the text around it."""
    if text.isprintable() and "  " not in text:  # nearly every title
        return text.strip()
    shown = "".join(" " if _acts(char) else char for char in text)
    return re.sub(r"\s+", " ", shown).strip(JOINERS + " ")


def marked_line(text: str) -> str:
    """The same with a sign for each line end, where the lines are commands: the second must not look like a comment."""
    return one_line(_LINE_ENDS.sub(" ⏎ ", text.strip()))


def utf8(text: str) -> str:
    """A text from the command line, a file's name or the keyboard, with a sign for each byte that is not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def without_surrogates(text: str) -> str:
    """The text with "?" for each lone surrogate, which JSON can express but UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def normal_lines(text: str) -> str:
    """The text with "\\n" as its only line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _acts(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Cs") and char not in JOINERS
