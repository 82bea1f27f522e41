"""Keeps the library for formulas from looking for the partners of brackets that have none. Knows no MathML."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

MOST_ALONE = 6
"""Opening brackets that may be without a partner: with each of them the library takes twice as long."""
LONGEST_ARGUMENTS = 6
"""Letters that a command may take as its arguments. A closing bracket among them closes nothing."""
_COMMANDS = {
    r"\{": r"\{",
    r"\lAngle": "⟪",
    r"\lBrace": "⦃",
    r"\lVert": "‖",
    r"\lang": "⟨",
    r"\langle": "⟨",
    r"\lbrace": r"\{",
    r"\lbrack": "[",
    r"\lceil": "⌈",
    r"\lfloor": "⌊",
    r"\lgroup": "⟮",
    r"\llangle": "⦉",
    r"\llbracket": "⟦",
    r"\llcorner": "⌞",
    r"\llparenthesis": "⦇",
    r"\lmoustache": "⎰",
    r"\lparen": "(",
    r"\lvert": "|",
    r"\ulcorner": "⌜",
}
"""The library's opening brackets, as text."""
_CLOSING_COMMANDS = re.compile(
    r"\\(?:\}|(?:r(?:Angle|Brace|Vert|angle|ang|brace|brack|ceil|floor|group|moustache|paren|vert)"
    r"|rr(?:angle|bracket|parenthesis)|[lu]rcorner|[bB]igg?r)(?![A-Za-z]))"
)
_SIZED = r"\\(?:left|right|middle|[bB]igg?[lrm]?)(?![A-Za-z])\s*(?:\\[A-Za-z]+|\\.|[^{}%])"
_OPENING_SIZE = re.compile(r"(\\[bB]igg?)l(?![A-Za-z])")
_OPTIONAL = re.compile(r"\\(?:sqrt|x[A-Za-z]+)$")
_PART = re.compile(rf"%[^\n]*\n?|{_SIZED}|\\[A-Za-z]+|\\.|.", re.S)
_IS_SIZED = re.compile(_SIZED, re.S)


def without_lone_ones(tex: str) -> str:
    """The formula with its opening brackets as text, if many of them may be without a partner."""
    parts = [part for part in _PART.findall(tex) if part[0] != "%"]
    if sum(map(_opens, parts)) <= MOST_ALONE or _most_alone(parts) <= MOST_ALONE:
        return tex
    return "".join(_as_text(parts))


def _opens(part: str) -> bool:
    if part[0] == "\\":
        return part in _COMMANDS or _OPENING_SIZE.match(part) is not None
    return part in "⌜⌞⎰" or (unicodedata.category(part) == "Ps" and part != "{")


def _closes(part: str) -> bool:
    if part[0] == "\\":
        return _CLOSING_COMMANDS.match(part) is not None
    return part in "⌝⌟⎱" or (unicodedata.category(part) == "Pe" and part != "}")


def _most_alone(parts: list[str]) -> int:
    """The most opening brackets that may be without a partner in their group."""
    waiting, alone, letters = [0], 0, LONGEST_ARGUMENTS
    for part in parts:
        if part == "{":
            waiting.append(0)
            letters = LONGEST_ARGUMENTS
            continue
        if part == "}" and len(waiting) > 1:
            alone += waiting.pop()
        elif _opens(part):
            waiting[-1] += 1
        elif _closes(part) and waiting[-1] and letters >= LONGEST_ARGUMENTS:
            waiting[-1] -= 1
        is_plain = part[0] not in "\\^_}" or _IS_SIZED.fullmatch(part)
        letters = letters + (not part.isspace()) if is_plain else 0
    return alone + sum(waiting)


def _as_text(parts: list[str]) -> Iterator[str]:
    before = ""
    for part in parts:
        if sized := _OPENING_SIZE.match(part):
            yield sized[1] + part[sized.end() :]
        elif not _opens(part) or (part == "[" and _OPTIONAL.match(before)):
            yield part
        else:
            yield rf"\text{{{_COMMANDS.get(part, part)}}}"
        if not part.isspace():
            before = part
