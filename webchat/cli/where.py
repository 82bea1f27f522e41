"""Where the chat is, for the commands that speak to it: a folder, a database or a server. Knows no session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn

import click

from webchat.cli.place import Place, place_options
from webchat.errors import InvalidInput, SessionNotFound, WebChatError
from webchat.serving.logs import printable

if TYPE_CHECKING:
    from webchat.terminal.client import ChatClient

FAILED, USAGE, NO_SESSION = 1, 2, 3
"""Exit codes of every command here."""


@dataclass(frozen=True)
class Where:
    """The options of the command line that say it."""

    place: Place
    owner: str | None
    url: str | None
    token: str
    settings: dict[str, Any] = field(default_factory=dict)
    """Others that are given, by a setting's key: who answers."""

    @property
    def is_server(self) -> bool:
        return self.url is not None

    @contextmanager
    def sessions(self) -> Iterator[ChatClient]:
        """The chat, for what needs no answer. What goes wrong ends the command with a sentence."""
        from webchat.backends.mock import MockBackend
        from webchat.terminal.places import chat_at, chat_in

        with refusing():
            if self.url is not None:
                with chat_at(self.url, self.token) as chat:
                    yield chat
            else:
                with chat_in(self.place, self.owner, MockBackend()) as chat:
                    yield chat


def where_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add these options to the command, as its argument `where`."""

    @click.option("--url", help="Address of a running server, instead of a folder.  [WEBCHAT_URL]", metavar="URL")
    @click.option("--token", help="Its token; better in WEBCHAT_TOKEN, which others cannot see.", metavar="TOKEN")
    @click.option("--owner", help="Whose sessions, where people sign in.", metavar="NAME")
    @place_options
    @wraps(command)
    def placed(place: Place, owner: str | None, url: str | None, token: str | None, **given: Any) -> None:  # noqa: ANN401
        in_folder = owner or any(place.values())
        if url and in_folder:
            raise click.UsageError("Give a server's --url, or a folder or database: not both.")
        url = url or (None if in_folder else os.environ.get("WEBCHAT_URL")) or None
        command(where=Where(place, owner, url, token or os.environ.get("WEBCHAT_TOKEN", "")), **given)

    return placed


@contextmanager
def refusing() -> Iterator[None]:
    """End the command with a sentence and an exit code if something goes wrong."""
    try:
        yield
    except (WebChatError, OSError) as error:
        refuse(error)


def refuse(error: Exception) -> NoReturn:
    """End the command with the error's sentence, and the exit code that tells its kind."""
    raise Ended(printable(str(error)), exit_code(error)) from error


class Ended(click.ClickException):
    """Ends the command with a sentence and this exit code."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code  # type: ignore[misc]


def exit_code(error: Exception) -> int:
    """The exit code that tells the error's kind."""
    from webchat.terminal.client import Refused, SeveralSessions

    status = error.status if isinstance(error, Refused) else None
    if status == 404 or isinstance(error, SessionNotFound | SeveralSessions):
        return NO_SESSION
    return USAGE if status in (400, 413) or isinstance(error, InvalidInput) else FAILED
