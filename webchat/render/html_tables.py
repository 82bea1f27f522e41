"""HTML tables: models write them for cells that span others, and when they read a table in a picture."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock

_ATTRIBUTES = r"(?:\s[^<>]{0,200})?"
_PARTS = "thead|tbody|tfoot|tr|th|td|caption|colgroup|col"
_OPENING = re.compile(rf"<table{_ATTRIBUTES}>[ \t]*", re.IGNORECASE)
_PART = re.compile(rf"[ \t]*<(?:{_PARTS}){_ATTRIBUTES}/?>", re.IGNORECASE)
_CLOSING = re.compile(r"</table>[ \t]*", re.IGNORECASE)
_TAG = re.compile(rf"<(/?)({_PARTS}){_ATTRIBUTES}/?>", re.IGNORECASE)
_SPAN = re.compile(r"\s(colspan|rowspan)=[\"']?([1-9]\d?)\b", re.IGNORECASE)
_WRAPPER = re.compile(rf"</?(?:p|div|span|font|center){_ATTRIBUTES}>", re.IGNORECASE)
_LINE_END = re.compile(r"[ \t]*\n\s*")


def read_html_tables(parser: MarkdownIt) -> None:
    """Make the parser accept `<table>` at the beginning of a line, with one of its parts behind it.

    It ends with its closing tag, or without one with the text. Only the structure is taken; what is in the cells is
    Markdown, and any other tag in it is text as elsewhere.
    """
    alt = ["paragraph", "reference", "blockquote", "list"]
    parser.block.ruler.before("html_block", "html_table", _table, {"alt": alt})


Spans = dict[str, str | int | float]


@dataclass
class _Cell:
    tag: str
    spans: Spans = field(default_factory=dict)
    text: str = ""


def _table(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    begin = state.bMarks[first] + state.tShift[first]
    opening = None if state.is_code_block(first) else _OPENING.match(state.src, begin, state.eMarks[first])
    if opening is None or not _has_part(state, first, opening.end(), end):
        return False
    if not silent:
        last, behind = _end(state, first, end)
        text = state.getLines(first, last, state.blkIndent, False).lstrip()[opening.end() - begin :]
        rows = list(_rows(text[: len(text) - len(behind)]))
        _push_table(state, rows, (first, last))
        behind = _CLOSING.sub("", behind, count=1)
        if behind.strip():
            _push(state, "paragraph", "p", behind.strip())
        state.line = last
    return True


def _has_part(state: StateBlock, first: int, begin: int, end: int) -> bool:
    """Whether a part of a table follows, on the same line or the next one."""
    if begin < state.eMarks[first]:
        return _PART.match(state.src, begin, state.eMarks[first]) is not None
    line = first + 1
    is_inside = line < end and state.sCount[line] >= state.blkIndent
    return is_inside and _PART.match(state.src, state.bMarks[line], state.eMarks[line]) is not None


def _end(state: StateBlock, first: int, end: int) -> tuple[int, str]:
    """The line after the table, and the closing tag with what is behind it."""
    for line in range(first, end):
        if line > first and state.sCount[line] < state.blkIndent and not state.isEmpty(line):
            return line, ""
        closing = _CLOSING.search(state.src, state.bMarks[line], state.eMarks[line])
        if closing:
            return line + 1, state.src[closing.start() : state.eMarks[line]]
    return end, ""


def _rows(text: str) -> Iterator[list[_Cell]]:
    """The cells of each row. Text outside of cells, as in a caption, is a row of its own ("p")."""
    row, cell, end = list[_Cell](), _Cell("td"), 0
    is_in_cell = False
    for tag in (*_TAG.finditer(text), None):
        piece = text[end : tag.start() if tag else len(text)]
        name = tag[2].lower() if tag else "tr"
        if is_in_cell:
            cell.text = piece
            row.append(cell)
        elif piece.strip():
            row.append(_Cell("p", {}, piece))
        is_in_cell = tag is not None and name in ("td", "th") and not tag[1]
        if tag and is_in_cell:
            cell = _Cell(name, {span.lower(): number for span, number in _SPAN.findall(tag[0])})
        elif row and name not in ("td", "th"):
            yield row
            row = []
        end = tag.end() if tag else end


def _push_table(state: StateBlock, rows: Sequence[list[_Cell]], lines: tuple[int, int]) -> None:
    title = list(takewhile(lambda row: [cell.tag for cell in row] == ["p"], rows))
    for row in title:
        _push(state, "paragraph", "p", _said(row[0]))
    rows = rows[len(title) :]
    heads = list(takewhile(lambda row: all(cell.tag == "th" for cell in row), rows))
    state.push("html_table_open", "table", 1).map = list(lines)
    for tag, part in (("thead", heads), ("tbody", rows[len(heads) :])):
        if part:
            state.push(f"{tag}_open", tag, 1)
            for row in part:
                _push_row(state, row)
            state.push(f"{tag}_close", tag, -1)
    state.push("html_table_close", "table", -1)


def _push_row(state: StateBlock, row: Sequence[_Cell]) -> None:
    state.push("tr_open", "tr", 1)
    for cell in row:
        tag = "th" if cell.tag == "th" else "td"
        _push(state, tag, tag, _said(cell), cell.spans)
    state.push("tr_close", "tr", -1)


def _said(cell: _Cell) -> str:
    return _LINE_END.sub(" ", _WRAPPER.sub("", cell.text).strip())


def _push(state: StateBlock, kind: str, tag: str, text: str, spans: Spans | None = None) -> None:
    state.push(f"{kind}_open", tag, 1).attrs = spans or {}
    inline = state.push("inline", "", 0)
    inline.content, inline.children = text, []
    state.push(f"{kind}_close", tag, -1)
