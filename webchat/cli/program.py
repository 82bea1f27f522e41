"""The program itself: where its arguments and its standard streams come from. Knows no command."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import click

from webchat.cli import secret_flags
from webchat.cli.default_command import DefaultGroup
from webchat.cli.terminal import refusal
from webchat.errors import WebChatError

CTRL_C, PIPE = 130, 141
"""Exit codes of every command: it was interrupted; whoever read its output has gone."""
STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


class Program(DefaultGroup):
    """The group of all commands, as it is run from a command line."""

    def main(self, args: Sequence[str] | None = None, *given: Any, **more: Any) -> Any:  # noqa: ANN401
        """See click's `Command.main`."""
        if args is None:
            args = secret_flags.arguments(os.environ)
            _open_closed_streams()
        return super().main(args, *given, **more)

    def make_context(self, *given: Any, **more: Any) -> click.Context:  # noqa: ANN401
        """See click's `Command.make_context`, which also prints what `--help` and `--version` ask for."""
        with _errors_as_exit_codes():
            return super().make_context(*given, **more)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run the command."""
        with _errors_as_exit_codes():
            return super().invoke(ctx)


@contextmanager
def _errors_as_exit_codes() -> Iterator[None]:
    """Turn errors, also of files and of the output, into a sentence and an exit code."""
    try:
        yield
    except BrokenPipeError as error:
        _discard_output()
        raise click.exceptions.Exit(PIPE) from error
    except KeyboardInterrupt as error:
        raise click.exceptions.Exit(CTRL_C) from error
    except (WebChatError, OSError) as error:
        raise refusal(error) from error


def _open_closed_streams() -> None:
    """A standard stream that was closed when the program started is an empty one."""
    for name, mode in STREAMS:
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  (for as long as the program runs)


def _discard_output() -> None:
    """Its reader has closed it: flushing the rest at the end of the program must not fail."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
