"""Converts simple HTML, as chats write answers, to Markdown: paragraphs, lists, code, tables, links."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from webchat.chat.message import fenced

_BLOCKS = {"p", "div", "ul", "ol", "table", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "tr"}
_MARKS = {"strong": "**", "b": "**", "em": "*", "i": "*", "code": "`"}


def as_markdown(html: str) -> str:
    """The HTML as Markdown."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return re.sub(r"\n{3,}", "\n\n", "".join(reader.out)).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._lists: list[int | None] = []
        self._code: list[str] | None = None
        self._links: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self._hidden += 1
        elif tag == "pre":
            self._code = []
        elif tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else None)
            self.out.append("\n" if len(self._lists) > 1 else "\n\n")
        elif tag == "li":
            self._item()
        elif tag == "br":
            self._say("\n")
        elif tag == "a":
            self._links.append(dict(attrs).get("href") or "")
            self._say("[")
        elif tag in ("td", "th"):
            self._say("| ")
        elif re.fullmatch("h[1-6]", tag):
            self.out.append(f"\n\n{'#' * int(tag[1])} ")
        elif tag in _BLOCKS:
            self.out.append("\n" if self._lists or tag == "tr" else "\n\n")
        elif tag in _MARKS and self._code is None:
            self.out.append(_MARKS[tag])

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._hidden = max(0, self._hidden - 1)
        elif tag == "pre" and self._code is not None:
            code, self._code = "".join(self._code), None
            self.out.append(f"\n\n{fenced(code)}\n\n")
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
            self.out.append("" if self._lists else "\n\n")
        elif tag == "a" and self._links:
            url = self._links.pop()
            self._say(f"](<{url}>)" if re.match("https?://[^<>\\s]+$", url) else "]")
        elif tag in ("td", "th"):
            self._say(" ")
        elif tag in _BLOCKS and not self._lists and tag != "tr":
            self.out.append("\n\n")
        elif tag in _MARKS and self._code is None:
            self.out.append(_MARKS[tag])

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._say(data if self._code is not None else re.sub(r"\s+", " ", data))

    def _item(self) -> None:
        indent = "  " * (len(self._lists) - 1)
        number = self._lists[-1] if self._lists else None
        if number is not None:
            self._lists[-1] = number + 1
        self.out.append(f"\n{indent}{'-' if number is None else f'{number + 1}.'} ")

    def _say(self, text: str) -> None:
        (self.out if self._code is None else self._code).append(text)
