"""The project's own source files, for the tests that read them."""

from __future__ import annotations

import ast
import gc
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "webchat"


def tree_of(text: str) -> ast.Module:
    """The syntax tree of a file's text.

    Python 3.11 counts the depth of all trees under construction in one place. If garbage is collected during this one,
    another thread may build another, as a traceback in the log does, and then this one would fail.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(text)
    finally:
        if was_on:
            gc.enable()
