"""Syntax highlighting, limited in time. Knows no page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from markdown_it.common.utils import escapeHtml

COLOURED_AT_MOST, LONGEST_LINE = 30_000, 2_000
"""The most characters of a code block, and of a line in it, that are highlighted."""
PATIENCE = 0.5
"""Seconds of CPU time for one block: some lexers take quadratic time on crafted input."""


class _TooSlow(Exception):
    """The time limit was reached."""


def coloured(code: str, language: str, patience: float = PATIENCE) -> str:
    """The code as HTML, highlighted if its language is known, it is short, and it takes at most `patience` seconds."""
    if not language or len(code) > COLOURED_AT_MOST or max(map(len, code.split("\n"))) > LONGEST_LINE:
        return escapeHtml(code)
    return _coloured(code, language, patience)


@lru_cache(maxsize=256)
def _coloured(code: str, language: str, patience: float) -> str:
    # Imported late: Pygments takes 20 MB, which a chat without code does not need.
    from pygments import format
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
        return str(format(_in_time(lexer.get_tokens(code), patience), HtmlFormatter(nowrap=True)))
    except (ClassNotFound, _TooSlow):
        return escapeHtml(code)


def _in_time(tokens: Iterator[Any], patience: float) -> Iterator[Any]:
    # The thread's CPU time, so that the result does not depend on the machine's load.
    deadline = time.thread_time() + patience
    for token in tokens:
        if time.thread_time() > deadline:
            raise _TooSlow
        yield token
