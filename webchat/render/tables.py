"""Tables whose cells contain pipes in code or formulas, or whose rows have too many cells: nothing in them is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, table
from markdown_it.token import Token

LONGEST = 200
"""The most characters of code or a formula with pipes in a cell, which limits the search for its end."""
_BAR = re.compile(r"(?<!\\)\|")
_KEPT_OR_BAR = re.compile(
    rf"(?<![\\`])(?P<ticks>`+)[^`].{{0,{LONGEST}}}?(?<!`)(?P=ticks)(?!`)"
    rf"|(?<![\\$])\$\$[^$].{{0,{LONGEST}}}?\$\$|(?<![\\$])\$[^$\s](?:[^$]{{0,{LONGEST}}}[^$\s\\])?\$(?!\d)"
    rf"|\\\(.{{1,{LONGEST}}}?\\\)|\\\[.{{1,{LONGEST}}}?\\\]|(?P<bar>(?<!\\)\|)"
)
_MARKS = re.compile(r"[`$\\]")
_DELIMITERS = re.compile(r"[|:-][|: \t-]*$")
_OTHER_BLOCK = re.compile(r">|(?:[-+*]|\d{1,9}[.)])[ \t]")


def keep_cells(parser: MarkdownIt) -> None:
    """Make the parser keep pipes in code and formulas, where GFM ends a cell, if a row has too many cells otherwise.

    What is still too much, which GFM drops, is shown in the last cell.
    """
    parser.block.ruler.at("table", _table, {"alt": ["paragraph", "reference", "blockquote"]})


def _table(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    if _OTHER_BLOCK.match(state.src, state.bMarks[first] + state.tShift[first], state.eMarks[first]):
        return False  # a list or quotation, which may contain the table
    if silent:
        return _ends_rows(state, first) if state.parentType == "table" else _follows(state, first, end)
    begun = len(state.tokens)
    state.env["outer pipes"] = _line(state, first).startswith("|")
    if not (table(state, first, end, silent) or _with_head(state, first, end, silent)):
        return False
    for line, cells in _rows(state.tokens[begun:]):
        text = _line(state, line)
        if line > first and _count(text) > len(cells):
            _fill(cells, _fitting(text, len(cells)))
    return True


def _follows(state: StateBlock, first: int, end: int) -> bool:
    """Whether a table begins here, perhaps right behind the list in which a paragraph would go on."""
    indent, state.blkIndent = state.blkIndent, min(state.blkIndent, max(0, state.sCount[first]))
    found = table(state, first, end, True) or _with_head(state, first, end, True)
    state.blkIndent = indent
    return found


def _ends_rows(state: StateBlock, line: int) -> bool:
    """Whether this line ends a table: it has no pipe, though the table's first line begins with one."""
    return bool(state.env["outer pipes"]) and "|" not in _line(state, line)


def _with_head(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    """Parse a table whose first line has pipes in code or formulas."""
    if first + 2 > end or not _DELIMITERS.match(_line(state, first + 1)):
        return False
    head = _line(state, first)
    cells = _cells(head) if _MARKS.search(head) and "|" in head else []
    if len(cells) != _count(_line(state, first + 1)):
        return False
    # The parser compares the number of cells in both lines: for that, the second one stands in for the first.
    begun, marks = len(state.tokens), (state.bMarks, state.tShift, state.eMarks)
    kept = [each[first] for each in marks]
    for each in marks:
        each[first] = each[first + 1]
    found = table(state, first, end, silent)
    for each, value in zip(marks, kept, strict=True):
        each[first] = value
    if found and not silent:
        _fill(next(_rows(state.tokens[begun:]))[1], cells)
    return found


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].strip()


def _rows(tokens: Sequence[Token]) -> Iterator[tuple[int, list[Token]]]:
    """Each row's line, and its cells."""
    line, cells = 0, list[Token]()
    for token in tokens:
        if token.type == "tr_open" and token.map:
            line, cells = token.map[0], []
        elif token.type == "inline":
            cells.append(token)
        elif token.type == "tr_close":
            yield line, cells


def _count(text: str) -> int:
    """The number of cells as GFM counts them."""
    bars = [found.start() for found in _BAR.finditer(text)]
    return len(bars) + 1 - bool(bars and bars[0] == 0) - bool(bars and bars[-1] == len(text) - 1)


def _cells(text: str) -> list[str]:
    """The row's cells, with pipes in code and formulas."""
    cells, begin = [], 0
    for found in _KEPT_OR_BAR.finditer(text):
        if found["bar"]:
            cells.append(text[begin : found.start()])
            begin = found.end()
    cells.append(text[begin:])
    outer = slice(not cells[0], len(cells) - (len(cells) > 1 and not cells[-1]))
    return [cell.strip().replace(r"\|", "|") for cell in cells[outer]]


def _fitting(text: str, count: int) -> list[str]:
    """The row as so many cells."""
    cells = _cells(text)
    if len(cells) < count:  # what looked like code or a formula is none
        cells = [cell.strip().replace(r"\|", "|") for cell in _BAR.split(text.removeprefix("|"))]
    while len(cells) > count and not cells[-1]:
        cells.pop()
    return [*cells[: count - 1], " | ".join(cells[count - 1 :])]


def _fill(cells: Sequence[Token], contents: Sequence[str]) -> None:
    for token, content in zip(cells, contents, strict=True):
        token.content = content
