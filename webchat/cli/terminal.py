"""Output to the terminal: errors, each with its exit code, and progress. Knows no command."""

from __future__ import annotations

import sys

import click

from webchat.chat.plain import one_line
from webchat.errors import InvalidInput, ReadOnlySession, SessionNotFound, WebChatError
from webchat.serving.logs import printable

BAR_WIDTH = 30
FAILED, USAGE, NO_SESSION, NOT_NOW = 1, 2, 3, 7
"""Exit codes: a failure, wrong input, an unknown session, and what may succeed later."""
STATUS_CODES = {400: USAGE, 404: NO_SESSION, 409: NOT_NOW, 413: USAGE, 422: USAGE, 429: NOT_NOW, 503: NOT_NOW}
"""The same by what the chat answers."""


class Ended(click.ClickException):
    """Ends the command with a sentence and this exit code."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code  # type: ignore[misc]


def refusal(error: Exception, *, in_chat: bool = False) -> Ended:
    """The error as an exception that ends the command. Raises BrokenPipeError, which needs no words.

    Only commands that use the chat (`in_chat`) exit with USAGE for wrong input. For the others, which check settings,
    it is a failure.
    """
    if isinstance(error, BrokenPipeError):
        raise error
    code = exit_code(error)
    return Ended(printable(sentence_of(error)), FAILED if code == USAGE and not in_chat else code)


def exit_code(error: Exception) -> int:
    """The exit code that tells the error's kind."""
    from webchat.terminal.client import Refused, SeveralSessions

    if isinstance(error, Refused):
        return STATUS_CODES.get(error.status, FAILED)
    if isinstance(error, SessionNotFound | SeveralSessions):
        return NO_SESSION
    if isinstance(error, ReadOnlySession):
        return NOT_NOW
    return USAGE if isinstance(error, InvalidInput) else FAILED


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
        """Show `text`, with a bar if `progress` from 0 to 1 is known. An empty text ends the line."""
        text = one_line(text)
        if text != self._text and (text or self._moving):
            click.echo(("\n" if self._text and self._moving else "") + text, err=True, nl=not self._moving)
            self._text = text
        if self._moving and progress is not None:
            filled = round(progress * BAR_WIDTH)
            bar = "█" * filled + "░" * (BAR_WIDTH - filled)
            click.echo(f"\r{text}  {bar} {progress:4.0%}", err=True, nl=False)
            if progress >= 1:
                click.echo(err=True)
                self._text = ""
