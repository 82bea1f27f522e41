"""Text from models, people and files that acts on no terminal. Knows no command."""

from __future__ import annotations

import json
import re

from webchat.chat.plain import TURNING, one_line
from webchat.render.terminal import visible

_ACTING = re.compile("[\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What JSON may have as it is, and a terminal would obey."""


def safe(text: str) -> str:
    """The text with a sign for each control character, and for each that turns writing around.

    Lines and tabs stay.
    """
    return TURNING.sub("\ufffd", visible(text))


def safe_line(text: str) -> str:
    """The same on one line."""
    return safe(one_line(text))


def json_text(value: object) -> str:
    """The value as JSON, exact and on one line, in which such characters are escaped."""
    return _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


class SafePieces:
    """`safe` for a text that comes in pieces: a line end may come in two."""

    def __init__(self) -> None:
        self._kept = ""

    def take(self, piece: str) -> str:
        """What can be printed now."""
        text = self._kept + piece
        whole = text.rstrip("\r")
        self._kept = text[len(whole) :]
        return safe(whole)

    def rest(self) -> str:
        """What was kept back at the end."""
        kept, self._kept = self._kept, ""
        return safe(kept)
