"""Tells whether the end of a growing Markdown text is in code or at the beginning of a line. Knows no model."""

from __future__ import annotations

import re

LOOKED_AT = 100
"""Characters at the beginning of a line that are searched for a fence."""
_FENCE = re.compile(r"[\s>]*(?:[-*+]|\d{1,9}[.)])?\s*(`{3,}|~{3,})")
_TICKS = re.compile("`+")
_QUOTES = "([{'\"“‘„«`=<"


class Prose:
    """A growing text. Added text is parsed only when a property is read, so that adding is cheap."""

    def __init__(self) -> None:
        self._new: list[str] = []
        self._fence = ""
        """The open fence, "" for none."""
        self._head = ""
        """The beginning of the last line."""
        self._ticks = 0
        """A run of backticks counts once."""
        self._end = ""

    def add(self, text: str) -> None:
        self._new.append(text)

    @property
    def is_break(self) -> bool:
        """Whether a tag here would be markup: at the beginning of a line, or without a space before it.

        In code, and after an opening bracket or quotation mark, it is text.
        """
        return self.follows_text or not (self.is_in_code or self._head.strip())

    @property
    def follows_text(self) -> bool:
        """Whether a tag here would be markup right behind the text of its line."""
        return not (self.is_in_code or not self._head.strip() or self._end.isspace() or self._end in _QUOTES)

    @property
    def begins_line(self) -> bool:
        """Whether this line has at most three spaces so far, and no code is open."""
        return not self.is_in_code and self._head in ("", " ", "  ", "   ")

    @property
    def is_in_code(self) -> bool:
        self._read()
        return bool(self._fence or self._ticks % 2 or _FENCE.match(self._head))

    @property
    def is_in_span(self) -> bool:
        """Whether a code span of this line is open."""
        self._read()
        return self._ticks % 2 == 1

    def _read(self) -> None:
        first, *lines = "".join(self._new).split("\n")
        self._new.clear()
        self._go_on(first)
        for line in lines:
            self._end_line()
            self._go_on(line)

    def _go_on(self, text: str) -> None:
        if not text:
            return
        is_same_run = self._end == "`" and text[0] == "`"
        self._ticks += len(_TICKS.findall(text)) - is_same_run
        self._head = (self._head + text[:LOOKED_AT])[:LOOKED_AT]
        self._end = text[-1]

    def _end_line(self) -> None:
        fence = _FENCE.match(self._head)
        if fence and not self._fence:
            self._fence = fence[1]
        elif fence and fence[1].startswith(self._fence) and self._head.strip(" \t>") == fence[1]:
            self._fence = ""
        self._head, self._ticks, self._end = "", 0, ""
