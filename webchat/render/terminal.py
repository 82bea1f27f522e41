"""Renders terminal output as HTML: the lines as a terminal would finally show them, in 16 colours. Knows no page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from typing import Any

from markupsafe import Markup, escape

from webchat.chat.plain import TURNING

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_TOKEN = re.compile(
    # Every sequence begins with one of these, which are fast to search for.
    rf"(?={_UNSEEN.pattern})(?:"
    # Strings for the terminal itself (titles, links, pictures); an unterminated one extends to the end of its line.
    r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|(?:\x1b\[|\x9b)(?P<params>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~]?)"
    r"|\x1b[ -/]*[0-~]?"
    r"|(?P<move>[\r\x08])"
    rf"|{_UNSEEN.pattern})"
)
_SIGNS = {chr(code): chr(0x2400 + code) for code in range(32)} | {"\x7f": "\u2421"}
_MOVES = re.compile(r"[\r\x08]|(?:\x1b\[|\x9b)[0-9;]*[GK]")
"""Sequences that move back within a line, as progress bars do."""
_LINE_END = re.compile(r"(?<!\r)\r++\n")
_FLAGS = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse"}
_OFF = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("inverse",), 39: ("colour",), 49: ("filled",)}
_PALETTE = (
    *((0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229)),
    *((127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255)),
    (255, 255, 255),
)
_CUBE = (0, 95, 135, 175, 215, 255)


@dataclass(frozen=True, slots=True)
class _Style:
    """A character's style. `colour` is one of 16; of a background it is only known whether there is one."""

    colour: int | None = None
    filled: bool = False
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    inverse: bool = False

    @property
    def classes(self) -> str:
        flags = ("filled", "bold", "dim", "italic", "underline", "inverse")
        names = [f"t-{flag}" for flag in flags if getattr(self, flag)]
        return " ".join([*([f"t{self.colour}"] if self.colour is not None else []), *names])


_PLAIN = _Style()
_Run = tuple[_Style, str]


def terminal(text: str) -> Markup:
    """The text as HTML for a <pre>, without any escape sequence or control character."""
    style, pieces = _PLAIN, []
    for piece, goes_back in _pieces(_normal(text)):
        runs, style = (_written_over if goes_back else _written)(piece, style)
        pieces.append("".join(_html(*run) for run in runs))
    return Markup("\n".join(pieces))  # noqa: S704  (made of escaped texts)


def written(text: str) -> str:
    """The same as plain text."""
    pieces = (
        _written_over(piece, _PLAIN) if back else _written(piece, _PLAIN) for piece, back in _pieces(_normal(text))
    )
    return "\n".join("".join(text for _, text in runs) for runs, _ in pieces)


def visible(text: str) -> str:
    """The text with a visible symbol for each control character, so that nothing is hidden from the reader."""
    return _UNSEEN.sub(lambda found: _SIGNS.get(found[0], "\ufffd"), _normal(text))


def plain(text: str) -> Markup:
    """The same as HTML for a <pre>, with bidirectional controls isolated in their own elements."""
    return Markup(_escaped(visible(text)))  # noqa: S704


def _normal(text: str) -> str:
    return _LINE_END.sub("\n", text)


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Lines that overwrite themselves, and the text between them."""
    if not _MOVES.search(text):
        yield text, False
        return
    for goes_back, lines in groupby(text.split("\n"), key=lambda line: bool(_MOVES.search(line))):
        if goes_back:
            yield from ((line, True) for line in lines)
        else:
            yield "\n".join(lines), False


def _escaped(text: str) -> str:
    return TURNING.sub(r'<span class="bidi">\g<0></span>', str(escape(text)))


def _html(style: _Style, text: str) -> str:
    shown = _escaped(text)
    return shown if style == _PLAIN else f'<span class="{style.classes}">{shown}</span>'


def _tokens(text: str) -> Iterator[str | re.Match[str]]:
    """Plain text and escape sequences, in order."""
    end = 0
    for token in _TOKEN.finditer(text):
        if token.start() > end:
            yield text[end : token.start()]
        yield token
        end = token.end()
    if end < len(text):
        yield text[end:]


def _written(text: str, style: _Style) -> tuple[list[_Run], _Style]:
    """Lines that only move forward, and the style after them."""
    runs: list[_Run] = []
    for token in _tokens(text):
        if isinstance(token, str):
            runs.append((style, token))
        else:
            style = _styled(style, token)
    return runs, style


def _written_over(line: str, style: _Style) -> tuple[Iterable[_Run], _Style]:
    """A line after everything in it has been overwritten, and the style after it."""
    cells: list[tuple[_Style, str]] = []
    column = 0
    for token in _tokens(line):
        if isinstance(token, str):
            cells[column : column + len(token)] = [(style, char) for char in token]
            column += len(token)
        elif token["move"]:
            column = 0 if token["move"] == "\r" else max(0, column - 1)
        elif token["final"] == "G":
            column = min(len(cells), max(0, _number(token["params"], 1) - 1))
        elif token["final"] == "K":
            column = _erase(cells, column, _number(token["params"], 0))
        else:
            style = _styled(style, token)
    while cells and cells[-1] == (_PLAIN, " "):
        cells.pop()
    runs = ((key, "".join(char for _, char in group)) for key, group in groupby(cells, key=lambda cell: cell[0]))
    return runs, style


def _erase(cells: list[tuple[_Style, str]], column: int, how: int) -> int:
    """Erase from the column to the end (0), up to the column (1) or the whole line (2); the column stays."""
    if how == 1:
        cells[:column] = [(_PLAIN, " ")] * column
    else:
        del cells[column:]
    if how == 2:
        cells[:] = [(_PLAIN, " ")] * column
    return column


def _number(params: str, otherwise: int) -> int:
    first = params.partition(";")[0]
    return int(first) if first.isascii() and first.isdigit() and len(first) < 6 else otherwise


def _styled(style: _Style, token: re.Match[str]) -> _Style:
    """The style after a token."""
    params = token["params"]
    if token["final"] != "m" or token["between"] or params[:1] in tuple("<=>?"):
        return style
    codes = [_codes(param) for param in params.split(";")]
    while codes:
        code, *more = codes.pop(0)
        if code in (38, 48):
            given = more or [part[0] for part in codes[: 4 if codes and codes[0][0] == 2 else 2]]
            del codes[: 0 if more else len(given)]
            colour = _chosen(given)
            style = replace(style, filled=True) if code == 48 else replace(style, colour=colour)
        else:
            style = _with(style, code)
    return style


def _codes(param: str) -> list[int]:
    """The parameters of a style sequence; anything that is not a number becomes one without a meaning."""
    return [_number(part, -1) if part else 0 for part in param.split(":")[:8]]


def _with(style: _Style, code: int) -> _Style:
    if code == 0:
        return _PLAIN
    if code in _FLAGS:
        return replace(style, **{_FLAGS[code]: True})
    if code in _OFF:
        off: dict[str, Any] = {name: None if name == "colour" else False for name in _OFF[code]}
        return replace(style, **off)
    if 30 <= code <= 37 or 90 <= code <= 97:
        return replace(style, colour=code - 30 if code < 90 else code - 82)
    if 40 <= code <= 47 or 100 <= code <= 107:
        return replace(style, filled=True)
    return style


def _chosen(given: list[int]) -> int | None:
    """One of the 16 colours for `5, number` of 256 colours or `2, red, green, blue`; None for anything else."""
    if len(given) >= 2 and given[0] == 5 and 0 <= given[1] <= 255:
        return given[1] if given[1] < 16 else _nearest(*_of_256(given[1]))
    rgb = given[-3:] if len(given) >= 4 and given[0] == 2 else []
    return _nearest(*rgb) if rgb and all(0 <= value <= 255 for value in rgb) else None


def _of_256(number: int) -> tuple[int, int, int]:
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return grey, grey, grey
    red, rest = divmod(number - 16, 36)
    return _CUBE[red], _CUBE[rest // 6], _CUBE[rest % 6]


@lru_cache(maxsize=1024)
def _nearest(red: int, green: int, blue: int) -> int:
    distances = [(red - r) ** 2 + (green - g) ** 2 + (blue - b) ** 2 for r, g, b in _PALETTE]
    return distances.index(min(distances))
