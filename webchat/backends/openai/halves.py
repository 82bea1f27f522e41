"""Joins characters that a server has cut in two: JSON writes one beyond U+FFFF as two halves (a surrogate pair)."""

from __future__ import annotations


class Halves:
    """Passes on the chunks of one text; holds a first half back until the second one comes."""

    def __init__(self) -> None:
        self._held = ""

    def joined(self, text: str) -> str:
        """The text that is complete now; a half without its other one stays as it is."""
        if not self._held and text[-1:] < "\ud800":  # as nearly always
            return text
        text, self._held = self._held + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._held = text[:-1], text[-1]
        return text

    def rest(self) -> str:
        """What was held back, at the end of the text."""
        held, self._held = self._held, ""
        return held
