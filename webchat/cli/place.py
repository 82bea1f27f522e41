"""The options for the storage's place, of all commands but `serve`, which has every setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps

import click

from webchat import config
from webchat.chat.plain import utf8
from webchat.cli.setting_options import checked

Place = Mapping[str, str | None]
"""The settings that say it, by their keys; None if a flag was not given."""


def place_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add these options to the command, as its argument `place`."""

    @click.option(
        "--home",
        help="Folder for all files; sessions are in the database, if one is set.",
        metavar="FOLDER",
        callback=checked(config.BY_NAME["home"]),
    )
    @click.option(
        "--database",
        help="PostgreSQL database to use instead. Safer in WEBCHAT_DATABASE, which other users cannot see.",
        metavar="ADDRESS",
        callback=checked(config.BY_NAME["database"]),
    )
    @wraps(command)
    def placed(home: str | None, database: str | None, **given: object) -> None:
        command(place={"AMPLIFIER_HOME": home, "WEBCHAT_DATABASE": database}, **given)

    return placed


def named(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A callback for a person's name. Raises click.BadParameter if it is empty, as a script's unset variable is."""
    if value is not None and not value.strip():
        raise click.BadParameter("a name is needed.", param=parameter)
    return None if value is None else utf8(value)


def owner_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add the option for the person whose sessions are meant, as its argument `owner`."""
    sentence = "User whose sessions to use, if people sign in."
    return click.option("--owner", help=sentence, metavar="NAME", callback=named)(command)
