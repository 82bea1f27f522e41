"""The options for the storage's place, of all commands but `serve`, which has every setting."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path

import click

from webchat import config, conventions
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


def settings_at(place: Place) -> config.Settings:
    """The settings of the storage there, without saved ones.

    Raises InvalidInput; click.ClickException if this is root and the files belong to another user, whose server could
    not read what root writes: a person disabled in that way would still be let in.
    """
    settings, _ = config.load(place, os.environ)
    home = settings.home.expanduser()
    if not settings.database and (user := _other_owner(home)):
        raise click.ClickException(
            f"the files in {home} belong to {user}, whose server could not use what root writes there. "
            f"Run this as that user: sudo -u {shlex.quote(user)} … --home {shlex.quote(str(home))}"
        )
    return settings


def _other_owner(home: Path) -> str | None:
    """The name, or else the number, of the user who owns the files there, if this is root and they are not root's."""
    there = next((path for path in (home / conventions.SERVER_DIR, home) if path.exists()), None)
    if there is None or not hasattr(os, "geteuid") or os.geteuid() != 0 or there.stat().st_uid == 0:
        return None
    try:
        return there.owner()
    except KeyError:
        return f"#{there.stat().st_uid}"


def named(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A callback for a person's name. Raises click.BadParameter if it is empty, as a script's unset variable is."""
    if value is not None and not value.strip():
        raise click.BadParameter("a name is needed.", param=parameter)
    return None if value is None else utf8(value)


def owner_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add the option for the person whose sessions are meant, as its argument `owner`."""
    sentence = "User whose sessions to use, if people sign in."
    return click.option("--owner", help=sentence, metavar="NAME", callback=named)(command)
