"""The options for the storage's place, of all commands but `serve`, which has every setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps

import click

Place = Mapping[str, str | None]
"""The settings that say it, by their keys; None if a flag was not given."""


def place_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add these options to the command, as its argument `place`."""

    @click.option("--home", help="Folder for all files.", metavar="FOLDER")
    @click.option(
        "--database",
        help="PostgreSQL database to use instead. Safer in WEBCHAT_DATABASE, which other users cannot see.",
        metavar="ADDRESS",
    )
    @wraps(command)
    def placed(home: str | None, database: str | None, **given: object) -> None:
        command(place={"AMPLIFIER_HOME": home, "WEBCHAT_DATABASE": database}, **given)

    return placed
