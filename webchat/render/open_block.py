"""A code block or table that is still growing: each line is rendered once. Knows only these two kinds of blocks."""

from __future__ import annotations

import re
from collections.abc import Callable

from markupsafe import Markup

from webchat.render.fences import OpenFence

Render = Callable[[str], Markup]
"""Renders Markdown that is not finished to safe HTML."""

_FENCE = re.compile(r" {0,3}(?:`{3,}[^`\n]*|~{3,}[^\n]*)\n")
_MARKS = re.compile(r"`+|~+")
_TABLE = re.compile(r"\|[^\n]*\n\|[ \t:|-]*\n(?=\|)")
_ROWS = re.compile(r"(?:\|[^\n]*(?:\n|\Z))*+")


class OpenBlock:
    """The lines so far. New lines can be rendered alone: their HTML inside the block's body follows the earlier one."""

    def __init__(self, head: str, render: Render, *, is_table: bool) -> None:
        """`head` are the lines that open the block."""
        self._head, self._render = head, render
        self._fence = None if is_table else OpenFence(head)
        self._tags = ("<tbody>\n", "</tbody>") if is_table else ("<code>", "</code>")
        self._settled = len(head)
        self._begun = ""
        self._around = self._parts(f"{head}|\n" if is_table else head)

    def more(self, text: str) -> Markup | None:
        """The HTML of the block with all lines so far; None if the block may have ended."""
        new = text[self._settled :]
        if not (self._are_rows(new) if self._fence is None else self._fence.is_open(text)):
            return None
        whole = new.rfind("\n") + 1
        lines, rest = self._inside(new[:whole]), self._inside(new[whole:])
        if lines is None or rest is None or not self._around:
            return None
        self._begun += lines
        self._settled += whole
        return Markup(f"{self._around[0]}{self._begun}{rest}{self._around[2]}")  # noqa: S704  (safe, as its parts are)

    def _are_rows(self, new: str) -> bool:
        # Footnotes are counted from the first row.
        return bool(_ROWS.fullmatch(new)) and "[^" not in self._head + new

    def _inside(self, lines: str) -> str | None:
        """The HTML of the block's body; None if these lines change what surrounds it, such as a table's alignment."""
        if not lines:
            return ""
        parts = self._parts((self._longer_head(lines) if self._fence else self._head) + lines)
        return parts[1] if parts and self._around and parts[::2] == self._around[::2] else None

    def _longer_head(self, lines: str) -> str:
        """The line that opens the code block, with a fence that none of these lines can close."""
        return _MARKS.sub(lambda mark: mark[0] + mark[0][0] * len(lines), self._head, count=1)

    def _parts(self, text: str) -> tuple[str, str, str] | None:
        """The HTML before, inside and after its body."""
        before, begins, rest = str(self._render(text)).partition(self._tags[0])
        inside, ends, behind = rest.rpartition(self._tags[1])
        return (before + begins, inside, ends + behind) if ends else None


def open_block(text: str, render: Render) -> OpenBlock | None:
    """The code block or table that makes up the whole text so far, if there is one and it can be continued."""
    for pattern, is_table in ((_FENCE, False), (_TABLE, True)):
        head = pattern.match(text)
        if head:
            return OpenBlock(head[0], render, is_table=is_table)
    return None
