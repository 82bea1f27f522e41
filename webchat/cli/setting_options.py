"""Settings as options of a command. Knows no command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from webchat.config import Setting


def setting_options(settings: Sequence[Setting]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds an option for each of these settings, with its variable and default in the help."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for setting in reversed(settings):
            command = _option(setting)(command)
        return command

    return add


def _option(setting: Setting) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        setting.flag,
        setting.name,
        help=f"{setting.help}  [{setting.key}{_default(setting.default)}]",
        metavar="TEXT" if setting.parse is str else "VALUE",
        multiple=setting.many,
        callback=checked(setting),
    )


def _default(default: Any) -> str:  # noqa: ANN401
    if default in (None, "", ()):
        return ""
    if isinstance(default, tuple):
        return f", default {', '.join(map(str, default))}"
    if isinstance(default, float):
        return f", default {default:g}"
    return ", default off" if default is False else f", default {default}"


def checked(setting: Setting) -> Callable[[click.Context, click.Parameter, Any], str | None]:
    """A callback that refuses an invalid value under the flag's own name, without showing it: it may be a secret."""

    def check(_context: click.Context, option: click.Parameter, given: Any) -> str | None:  # noqa: ANN401
        # A repeated flag in its variable's format: one value per line.
        text = ("\n".join(given) or None) if setting.many else given
        try:
            if text is not None:
                setting.parse(text)
        except ValueError as error:
            raise click.BadParameter(f"{error}.", param=option) from error
        return None if text is None else str(text)

    return check
