"""Output to the terminal: errors and progress. Knows no command."""

from __future__ import annotations

import sys

import click

from webchat.chat.plain import one_line
from webchat.errors import WebChatError
from webchat.serving.logs import printable

BAR_WIDTH = 30


def refusal(error: Exception) -> click.ClickException:
    """The error as a click exception, which ends the command. Raises BrokenPipeError, which needs no words."""
    if isinstance(error, BrokenPipeError):
        raise error
    return click.ClickException(printable(sentence_of(error)))


def sentence_of(error: Exception) -> str:
    """The error in words, without the system's number."""
    if not isinstance(error, OSError) or isinstance(error, WebChatError) or not error.strerror:
        return str(error)
    return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."


def plain(line: str) -> str:
    """A line without control characters: file names may contain escape sequences."""
    return "".join(char if char.isprintable() else "?" for char in line)


class TerminalProgress:
    """Shows progress: a bar that is updated in place or, without a terminal, a line for each step."""

    def __init__(self) -> None:
        self._text = ""
        self._moving = sys.stderr.isatty()

    def __call__(self, text: str, progress: float | None = None) -> None:
        """Show `text`, with a bar if `progress` from 0 to 1 is known."""
        text = one_line(text)
        if text != self._text:
            click.echo(("\n" if self._text and self._moving else "") + text, err=True, nl=not self._moving)
            self._text = text
        if self._moving and progress is not None:
            filled = round(progress * BAR_WIDTH)
            bar = "█" * filled + "░" * (BAR_WIDTH - filled)
            click.echo(f"\r{text}  {bar} {progress:4.0%}", err=True, nl=False)
            if progress >= 1:
                click.echo(err=True)
                self._text = ""
