"""How an optional part of the package is installed."""

from __future__ import annotations

import shlex
import sys


def install(extra: str) -> str:
    """The command that installs it for this interpreter: another pip would install it elsewhere.

    For whoever has started the program. Visitors of a page need not know where it is installed.
    """
    return shlex.join([sys.executable, "-m", "pip", "install", f"webchat[{extra}]"])
