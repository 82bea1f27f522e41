"""Converts simple HTML, as chats write answers, to Markdown: paragraphs, lists, code, tables, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser

from webchat.chat.message import fenced

DEEPEST = 4
"""Tables in tables; a deeper one is part of the one around it."""
_BLOCKS = {"p", "div", "ul", "ol", "table", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "tr"}
_ENDS_OF_CODE = _BLOCKS | {"li", "td", "th"}
"""Code within a line does not go on beyond these, although its end tag may be missing."""
_MARKS = {"strong": "**", "b": "**", "em": "*", "i": "*"}
_KEPT = {"sup", "sub"}
"""Tags that Markdown has no mark for and that our pages show: without them 10<sup>6</sup> would be 106."""
_FORMULA = re.compile(
    r"(\$\$[^$]+\$\$|\$(?!\s)[^$]+(?<!\s)\$(?!\d)|\\\((?:(?!\\[()]).)+\\\)|\\\[(?:(?!\\[\[\]]).)+\\\])"
)
_FORMULA_SIGN = re.compile(r"\$|\\[(\[]")
"""Perhaps one end of a formula whose other end is in another element."""
_ADDRESS = re.compile(r"((?<![a-z0-9.+-])https?://[^\s<>`]+)", re.IGNORECASE)
_LINKING = re.compile(r"(?<=\[)\^|\](?=[(\[:])|<(?=[a-z/]|\Z)|&(?=#?\w+;)", re.IGNORECASE)
"""Signs of links, definitions, tags and entities; "<" may also stand before an address."""
_SIGNS = re.compile(rf"[*`]|~~+|(?<!\w)_+|(?<!_)_++(?!\w)|\\(?=[^\w\s])|{_LINKING.pattern}", re.IGNORECASE)
_SIGNS_IN_LINKS = re.compile(rf"[\[\]]|{_SIGNS.pattern}", re.IGNORECASE)
_BAR = r"\|"
"""A bar that is text, within a table."""
_FIRST_SIGN = re.compile(r"(\s*\d*)([#>+-]|(?<=\d)[.)])(?=[ #])")


def as_markdown(html: str) -> str:
    """The HTML as Markdown."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return re.sub(r"\n{3,}", "\n\n", "".join(reader.out)).strip()


@dataclass
class _Table:
    """An open table: its complete rows, and the cells of the last one."""

    rows: int = 0
    cells: int = 0
    around: list[str] | None = None
    """What was written before the open cell; None if no cell is open."""
    links: int = 0
    """How many links were open before the open cell."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._lists: list[int | None] = []
        self._code: list[str] | None = None
        self._span: list[str] | None = None
        self._links: list[str | None] = []
        """The addresses of the open links; None for one in code, which has no marks."""
        self._tables: list[_Table] = []
        self._hidden = 0

    def close(self) -> None:
        """As a parser's `close`; code whose end tag is missing ends here."""
        super().close()
        self._end_span()
        self._end_block()
        while self._tables:
            self._end_table()
        self._end_links(0)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _ENDS_OF_CODE:
            self._end_span()
        if tag in ("script", "style"):
            self._hidden += 1
        elif tag == "pre":
            self._end_block()
            self._code = []
        elif tag in ("ul", "ol"):
            self._lists.append(_before(dict(attrs).get("start")) if tag == "ol" else None)
            self.out.append("\n" if len(self._lists) > 1 else "\n\n")
        elif tag == "li":
            self._item()
        elif tag == "br":
            self._break()
        elif tag == "a":
            self._link(dict(attrs).get("href") or "")
        elif tag in ("td", "th"):
            self._cell()
        elif re.fullmatch("h[1-6]", tag):
            self.out.append(f"\n\n{'#' * int(tag[1])} ")
        elif tag in _BLOCKS:
            self._block(tag)
        else:
            self._inline(tag, is_start=True)

    def handle_endtag(self, tag: str) -> None:
        if tag in _ENDS_OF_CODE:
            self._end_span()
        if tag in ("script", "style"):
            self._hidden = max(0, self._hidden - 1)
        elif tag == "pre" and self._code is not None:
            self._end_block()
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
            self.out.append("" if self._lists else "\n\n")
        elif tag == "a" and self._links:
            self._end_link(self._links.pop())
        elif tag in ("td", "th"):
            self._end_cell()
        elif tag == "tr":
            self._end_row()
        elif tag == "table" and self._tables:
            self._end_table()
        elif tag in _BLOCKS and not self._lists:
            self.out.append("\n\n")
        else:
            self._inline(tag, is_start=False)

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._span is not None:
            self._span.append(re.sub(r"\s+", " ", data))
        elif self._code is not None:
            self._say(data)
        else:
            is_first = not self.out or self.out[-1].endswith("\n")
            self._say(_literal(re.sub(r"\s+", " ", data), is_first=is_first, is_linked=any(self._links)))

    def _block(self, tag: str) -> None:
        if tag == "tr":
            self._end_row()
        self.out.append("\n" if self._lists or tag == "tr" else "\n\n")
        if tag == "table" and len(self._tables) < DEEPEST:
            self._tables.append(_Table())

    def _cell(self) -> None:
        if self._tables:
            self._end_cell()
            self._tables[-1].cells += 1
            self._tables[-1].around, self.out = self.out, []
            self._tables[-1].links = len(self._links)

    def _end_cell(self) -> None:
        """Write the cell on one line, as Markdown needs it."""
        if self._tables and (around := self._tables[-1].around) is not None:
            self._end_block()
            self._end_links(self._tables[-1].links)
            line = "<br>".join(filter(None, map(str.strip, "".join(self.out).split("\n"))))
            self._tables[-1].around, self.out = None, around
            self.out.append(f"{line} " if self._is_in_cell() else f"| {line.replace('|', _BAR)} ")

    def _is_in_cell(self) -> bool:
        return any(table.around is not None for table in self._tables)

    def _end_row(self) -> None:
        self._end_cell()
        if self._tables and (cells := self._tables[-1].cells):
            head = "" if self._tables[-1].rows else f"\n|{'---|' * cells}"
            self.out.append("\n" if self._is_in_cell() else f"|{head}")
            self._tables[-1] = _Table(self._tables[-1].rows + 1)

    def _end_table(self) -> None:
        self._end_row()
        self._tables.pop()
        self.out.append("\n\n")

    def _inline(self, tag: str, *, is_start: bool) -> None:
        """A tag within a line; in code all but its text is left out."""
        if self._code is not None:
            return
        if tag == "code":
            self._end_span()
            self._span = [] if is_start else None
        elif self._span is None and tag in _MARKS:
            self.out.append(_MARKS[tag])
        elif self._span is None and tag in _KEPT:
            self.out.append(f"<{'' if is_start else '/'}{tag}>")

    def _end_span(self) -> None:
        if self._span is not None:
            span, self._span = "".join(self._span), None
            self.out.append(_code_span(span))

    def _end_block(self) -> None:
        if self._code is not None:
            code, self._code = "".join(self._code), None
            self.out.append(_code_lines(code) if self._is_in_cell() else f"\n\n{fenced(code)}\n\n")

    def _break(self) -> None:
        if self._span is not None:
            self._span.append(" ")
        else:
            self._say("\n")

    def _link(self, url: str) -> None:
        is_in_code = self._span is not None or self._code is not None
        self._links.append(None if is_in_code else url)
        if not is_in_code:
            self.out.append("[")

    def _end_link(self, url: str | None) -> None:
        if url is not None:
            self._end_span()
            self._say(f"](<{url}>)" if re.match("https?://[^<>\\s]+$", url) else "]")

    def _end_links(self, count: int) -> None:
        """End the links that are open, but for the first `count`."""
        while len(self._links) > count:
            self._end_link(self._links.pop())

    def _item(self) -> None:
        indent = "  " * (len(self._lists) - 1)
        number = self._lists[-1] if self._lists else None
        if number is not None:
            self._lists[-1] = number + 1
        self.out.append(f"\n{indent}{'-' if number is None else f'{number + 1}.'} ")

    def _say(self, text: str) -> None:
        (self.out if self._code is None else self._code).append(text)


def _before(start: str | None) -> int:
    """The number before a list's first one."""
    return int(start) - 1 if start and re.fullmatch("[0-9]{1,9}", start) else 0


def _literal(text: str, *, is_first: bool, is_linked: bool) -> str:
    """The text with a backslash before what Markdown would take for a mark.

    Formulas need their signs as they are, and so do addresses, which become links unless the text is one already.
    """
    pieces = _FORMULA.split(text)
    pieces[::2] = [_escaped(piece, is_linked=is_linked) for piece in pieces[::2]]
    text = "".join(pieces)
    return _FIRST_SIGN.sub(r"\1\\\2", text, count=1) if is_first and _FIRST_SIGN.match(text) else text


def _escaped(text: str, *, is_linked: bool) -> str:
    signs = _LINKING if _FORMULA_SIGN.search(text) else _SIGNS_IN_LINKS if is_linked else _SIGNS
    pieces = [text] if is_linked else _ADDRESS.split(text)
    pieces[::2] = [signs.sub(lambda found: re.sub(r"(?=.)", r"\\", found[0]), piece) for piece in pieces[::2]]
    return "".join(pieces)


def _code_span(text: str) -> str:
    """The text between more backticks than it has in a row."""
    ticks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    blank = " " if "`" in (text[:1], text[-1:]) else ""
    return f"{ticks}{blank}{text}{blank}{ticks}" if text else ""


def _code_lines(code: str) -> str:
    """The code, for a table's cell, which can have no fence: each line that is not blank between backticks."""
    return "".join(f"\n{_code_span(line.rstrip())}" for line in code.split("\n") if line.strip()) + "\n"
