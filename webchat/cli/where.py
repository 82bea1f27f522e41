"""Where the chat is, for the commands that speak to it: a folder, a database or a server. Knows no session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from webchat import config
from webchat.cli.place import Place, owner_option, place_options, settings_at
from webchat.cli.setting_options import setting_options
from webchat.cli.terminal import refusal
from webchat.errors import WebChatError
from webchat.serving import logs

if TYPE_CHECKING:
    from webchat.terminal.client import ChatClient

ANSWERS = ("backend", "base_url", "model", "system_prompt", "temperature", "agent")
"""The settings that say who answers."""
AT_A_SERVER = ("model", "system_prompt")
"""Those of them that a session at a server may have for itself."""
Settings = Mapping[str, str | None]
"""Settings of the command line, by name; None if a flag was not given."""
answer_options = setting_options([setting for setting in config.SETTINGS if setting.name in ANSWERS])


@dataclass(frozen=True)
class Where:
    """The options of the command line that say it."""

    place: Place
    owner: str | None
    url: str | None
    token: str

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
                _log_less()
                settings_at(self.place)  # which refuses root on another user's files
                with chat_in(self.place, self.owner, MockBackend()) as chat:
                    yield chat

    @contextmanager
    def answering(self, settings: Settings, grace: float = 0.0) -> Iterator[ChatClient]:
        """The chat, for callers that want answers, by these settings; at a server they are `session_options`.

        In a folder the block starts it, and an answer may go on for `grace` seconds when the block has ended. Raises
        what goes wrong.
        """
        from webchat.cli.terminal import TerminalProgress
        from webchat.terminal.places import chat_at, chat_in

        if self.url is not None:
            with chat_at(self.url, self.token) as chat:
                yield chat
        else:
            _log_less()
            settings_at(self.place)  # which refuses root on another user's files
            explicit = {**self.place, **{config.BY_NAME[name].key: text for name, text in settings.items()}}
            with chat_in(explicit, self.owner, report=TerminalProgress(), grace=grace) as chat:
                yield chat

    def session_options(self, settings: Settings) -> dict[str, str]:
        """Those of the settings that a session at a server is given. Raises click.UsageError for others."""
        given = {name: text for name, text in settings.items() if text is not None}
        if self.url is None:
            return {}
        beyond = [config.BY_NAME[name].flag for name in given if name not in AT_A_SERVER]
        if beyond:
            raise click.UsageError(f"{beyond[0]} selects the backend for a folder; a server has its own.")
        return given


def where_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add these options to the command, as its argument `where`."""

    @click.option("--url", help="Running server to use instead of a folder.  [WEBCHAT_URL]", metavar="URL")
    @click.option("--token", help="Its token. Safer in WEBCHAT_TOKEN, which other users cannot see.", metavar="TOKEN")
    @owner_option
    @place_options
    @wraps(command)
    def placed(place: Place, owner: str | None, url: str | None, token: str | None, **given: Any) -> None:  # noqa: ANN401
        command(where=_where(place, owner, url, token), **given)

    return placed


def where_of(params: Mapping[str, str | None]) -> Where:
    """The same from the options of a line that is being written. Raises click.UsageError."""
    place = {"AMPLIFIER_HOME": params.get("home"), "WEBCHAT_DATABASE": params.get("database")}
    return _where(place, params.get("owner"), params.get("url"), params.get("token"))


def _where(place: Place, owner: str | None, url: str | None, token: str | None) -> Where:
    in_folder = owner or any(place.values())
    if url and in_folder:
        raise click.UsageError("Use either a server (--url) or a folder or database, not both.")
    url = url or (None if in_folder else os.environ.get("WEBCHAT_URL")) or None
    return Where(place, owner, url, token or os.environ.get("WEBCHAT_TOKEN", ""))


def _log_less() -> None:
    """Log only errors: a command itself prints why something was refused."""
    logs.set_up(level="error")


@contextmanager
def refusing() -> Iterator[None]:
    """End the command with a sentence and an exit code if something goes wrong."""
    try:
        yield
    except (WebChatError, OSError) as error:
        raise refusal(error, in_chat=True) from error
