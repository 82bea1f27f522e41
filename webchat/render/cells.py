"""HTML lists in a table's cells, for which Markdown has no syntax."""

from __future__ import annotations

import re
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

DEEPEST = 4
"""Lists in each other; a deeper one stays text, as does any that is not complete."""
_TAG = re.compile(r"<(/?)(ul|ol|li)(?:\s[^<>]{0,200})?>", re.IGNORECASE)
_KINDS = {"ul": "bullet_list", "ol": "ordered_list", "li": "list_item"}


def read_cell_lists(parser: MarkdownIt) -> None:
    """Make the parser accept `<ul>` and `<ol>` with their `<li>` in cells."""
    parser.core.ruler.before("inline", "cell_lists", _lists)


def _lists(state: StateCore) -> None:
    made = state.tokens[:1]
    for before, token in pairwise(state.tokens):
        is_cell = token.type == "inline" and before.type in ("td_open", "th_open")
        made += (_Cell(token).parts() if is_cell and _TAG.search(token.content) else []) or [token]
    state.tokens = made


class _Cell:
    """Divides a cell's content into lists, their items, and the text in them."""

    def __init__(self, content: Token) -> None:
        self._content = content
        self._parts = list[Token]()
        self._open = list[str]()
        """The elements that are open, the innermost last."""

    def parts(self) -> list[Token]:
        """The tokens of the content; [] if the tags in it are not those of complete lists."""
        text, end = self._content.content, 0
        for tag in _TAG.finditer(text):
            fits = self._add_text(text[end : tag.start()])
            if not fits or not (self._close if tag[1] else self._begin)(tag[2].lower()):
                return []
            end = tag.end()
        return self._parts if self._add_text(text[end:]) and not self._open else []

    def _add_text(self, text: str) -> bool:
        """Append text unless it is between two items, or the tag behind it is in code or escaped."""
        if text.count("`") % 2 or text.endswith("\\") or (text.strip() and self._open[-1:] not in ([], ["li"])):
            return False
        if text.strip():
            content = Token("inline", "", 0, content=text.strip(), children=[], map=self._content.map)
            self._parts.append(content)
        return True

    def _begin(self, name: str) -> bool:
        if name == "li" and self._open[-1:] == ["li"]:  # its closing tag may be omitted
            self._close("li")
        may_be_here = bool(self._open) if name == "li" else len(self._open) < 2 * DEEPEST
        if not may_be_here or (name != "li" and self._open[-1:] not in ([], ["li"])):
            return False
        self._parts.append(Token(f"{_KINDS[name]}_open", name, 1))
        self._open.append(name)
        return True

    def _close(self, name: str) -> bool:
        if name != "li" and self._open[-1:] == ["li"]:
            self._close("li")
        if self._open[-1:] != [name]:
            return False
        self._parts.append(Token(f"{_KINDS[name]}_close", self._open.pop(), -1))
        return True
