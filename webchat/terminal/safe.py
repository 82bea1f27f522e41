"""Makes text from models, people and files harmless for terminals. Knows no command."""

from __future__ import annotations

import json
import re

from webchat.chat.plain import TURNING, one_line
from webchat.render.terminal import visible

_ACTING = re.compile("[\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that JSON allows unescaped, but that a terminal would act on."""


def safe(text: str) -> str:
    """The text with a visible symbol for each control character and bidirectional control.

    Line ends and tabs stay.
    """
    return TURNING.sub("\ufffd", visible(text))


def safe_line(text: str) -> str:
    """The same on one line."""
    return safe(one_line(text))


def json_text(value: object) -> str:
    """The value as exact JSON on one line, with such characters escaped."""
    return _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


class SafePieces:
    """`safe` for a text that arrives in pieces: a line end may be split between two."""

    def __init__(self) -> None:
        self._kept = ""

    def take(self, piece: str) -> str:
        """Add a piece; returns what can be printed now."""
        text = self._kept + piece
        whole = text.rstrip("\r")
        self._kept = text[len(whole) :]
        return safe(whole)

    def rest(self) -> str:
        """What is left at the end."""
        kept, self._kept = self._kept, ""
        return safe(kept)
