"""The program itself: where its arguments and its standard streams come from. Knows no command."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from webchat.cli import secret_flags
from webchat.cli.default_command import DefaultGroup

STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


class Program(DefaultGroup):
    """The group of all commands, as it is run from a command line."""

    def main(self, args: Sequence[str] | None = None, *given: Any, **more: Any) -> Any:  # noqa: ANN401
        """See click's `Command.main`."""
        if args is None:
            args = secret_flags.arguments(os.environ)
            _open_closed_streams()
        return super().main(args, *given, **more)


def _open_closed_streams() -> None:
    """A standard stream that was closed when the program started is an empty one."""
    for name, mode in STREAMS:
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  (for as long as the program runs)
