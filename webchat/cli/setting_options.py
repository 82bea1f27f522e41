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
        callback=_by_lines if setting.many else None,
    )


def _default(default: Any) -> str:  # noqa: ANN401
    if default in (None, "", ()):
        return ""
    if isinstance(default, tuple):
        return f", default {', '.join(map(str, default))}"
    return ", default off" if default is False else f", default {default}"


def _by_lines(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> str | None:
    """A repeated flag in its variable's format: one value per line."""
    return "\n".join(values) if values else None
