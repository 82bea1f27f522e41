"""Finds the finished blocks of a Markdown text that is still being written. Knows no terminal."""

from __future__ import annotations

from webchat.terminal.dialect import dialect

_parser = dialect()
_parser.core.ruler.enableOnly(["normalize", "block", "lists"])


def finished(text: str) -> int:
    """The length of the finished blocks: all but the last block, which may still grow.

    Lines end with "\\n".
    """
    tokens = _parser.parse(text, {"open": True})
    starts = [token.map[0] for token in tokens if token.level == 0 and token.map and token.nesting >= 0]
    if len(starts) < 2:
        return 0
    return sum(len(line) + 1 for line in text.split("\n")[: starts[-1]])
