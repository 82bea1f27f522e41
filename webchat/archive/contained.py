"""A message's Markdown inside a longer document: it ends with itself, and its headings rank below the document's."""

from __future__ import annotations

import re

BELOW = 2
"""Levels of headings that the document itself uses."""
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_PREFIX = r"(?: {0,3}(?:>|(?:[*+-]|\d{1,9}[.)])(?=[ \t])))*+ {0,3}"
"""The marks of quotes and lists before a line's own text."""
_HEADING = re.compile(rf"\A({_PREFIX})(#{{1,6}})(?=[ \t]|$)")
_LOWERED = re.compile(rf"\A({_PREFIX})#{{{BELOW}}}(?=#{{1,4}}(?:[ \t]|$))")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_INNER_UNDERLINE = re.compile(rf"\A({_PREFIX})(?=(?:=+|-+)[ \t]*$)")
_ESCAPED_UNDERLINE = re.compile(rf"\A({_PREFIX})\\(?=(?:=+|-+)[ \t]*$)")
_TAG = re.compile(r"\A( {0,3})<(?=[a-zA-Z/!?])(?![a-zA-Z][a-zA-Z0-9+.-]*:|[^\s<>]+@)")
"""What may begin a block of HTML, and is no address."""
_ESCAPED_TAG = re.compile(r"\A( {0,3})\\<(?=[a-zA-Z/!?])")
_NO_PARAGRAPH = re.compile(r" {0,3}(?:[>|]|#{1,6}(?:[ \t]|$)|[*+-][ \t]|\d{1,9}[.)][ \t])| {4}|\t|\s*$")


class Fences:
    """Reads lines, and knows which of them are code in a fence."""

    def __init__(self) -> None:
        self.mark = ""
        """The fence that is open now."""

    def is_code(self, line: str) -> bool:
        """Take the next line; whether it is in a fence, or is a fence."""
        if self.mark:
            if re.fullmatch(rf" {{0,3}}{re.escape(self.mark[0])}{{{len(self.mark)},}}[ \t]*", line):
                self.mark = ""
            return True
        if found := _FENCE.match(line):
            self.mark = found[1]
        return found is not None


def contained(text: str) -> str:
    """The text with headings below the document's, without blocks of HTML, and with an end to its last fence."""
    lines: list[str] = []
    fences, paragraph = Fences(), 0
    for line in text.split("\n"):
        if fences.is_code(line):
            lines.append(line)
            paragraph = len(lines)
            continue
        underline = _UNDERLINE.match(line)
        if underline and paragraph < len(lines):
            marks = "#" * (BELOW + (1 if underline[1][0] == "=" else 2))
            lines[paragraph:] = [f"{marks} {' '.join(map(str.strip, lines[paragraph:]))}"]
            paragraph = len(lines)
            continue
        is_inner = bool(lines and lines[-1].strip() and line.strip("-"))  # a row of them below a list is a rule
        line = _INNER_UNDERLINE.sub(r"\1\\", line, count=1) if is_inner else line
        lines.append(_TAG.sub(r"\1\\<", _HEADING.sub(_lower, line, count=1), count=1))
        if _NO_PARAGRAPH.match(line):
            paragraph = len(lines)
    return "\n".join([*lines, *([fences.mark] if fences.mark else [])])


def raised(text: str) -> str:
    """The text that `contained` made this of, as far as it can be told."""
    fences = Fences()
    return "\n".join(line if fences.is_code(line) else _raised(line) for line in text.split("\n"))


def _raised(line: str) -> str:
    line = _ESCAPED_UNDERLINE.sub(r"\1", _LOWERED.sub(r"\1", line, count=1), count=1)
    return _ESCAPED_TAG.sub(r"\1<", line, count=1)


def _lower(heading: re.Match[str]) -> str:
    return heading[1] + "#" * min(6, len(heading[2]) + BELOW)
