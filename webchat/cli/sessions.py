"""`webchat export`, `import` and `doctor`: the sessions in a folder. Knows no server."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from webchat import config
from webchat.chat.plain import one_line
from webchat.cli.terminal import plain, refusal
from webchat.errors import WebChatError
from webchat.serving.logs import printable

if TYPE_CHECKING:
    from webchat.archive.export import LeftOut
    from webchat.manager import WebChatSessionManager


def _home_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option("--home", help="Folder that holds all files.", metavar="FOLDER")(command)


def _owner_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option("--owner", help="Whose sessions, where people sign in.", metavar="NAME")(command)


def _manager(home: str | None) -> WebChatSessionManager:
    """The sessions in that folder, with nobody to answer."""
    from webchat.backends.mock import MockBackend
    from webchat.manager import WebChatSessionManager

    settings, _ = config.load({"AMPLIFIER_HOME": home}, os.environ)
    return WebChatSessionManager(MockBackend(), settings.storage)


@click.command("export")
@_home_option
@_owner_option
@click.argument("session_ids", nargs=-1, metavar="[SESSION]...")
@click.option("-o", "--output", type=click.File("wb"), default="-", help="File to write; standard output by default.")
def export_sessions(home: str | None, owner: str | None, session_ids: tuple[str, ...], output: Any) -> None:  # noqa: ANN401
    """Write sessions, all by default, as JSON Lines."""
    try:
        manager = _manager(home)
        every = sorted(manager.list_sessions(owner), key=lambda session: (session.created_at, session.session_id))
        chosen = [manager.get_session(name, owner) for name in session_ids] or [item for item in every if item.begun]
        left_out: list[LeftOut] = []
        for part in manager.archive.export(chosen, left_out.append):
            output.write(part)
    except (WebChatError, OSError) as error:
        raise refusal(error) from error
    for one in left_out:
        click.echo(printable(one.told), err=True)
    sys.exit(1 if left_out else 0)


@click.command("import")
@_home_option
@_owner_option
@click.argument("files", nargs=-1, required=True, type=click.File("rb"))
def import_sessions(home: str | None, owner: str | None, files: tuple[Any, ...]) -> None:
    """Bring in sessions: our own export, or that of ChatGPT, Claude or Open WebUI, also as a zip."""
    from webchat.cli.terminal_import import watched

    try:
        manager, problems = _manager(home), 0
        for file in files:
            name = one_line(file.name)
            with watched(name) as watch:
                report = manager.archive.bring_in(file, owner, watch)
            click.echo(f"{name}: {len(report.imported)} imported, {report.known} here already")
            click.echo("".join(f"{name}: {problem}\n" for problem in report.problems), err=True, nl=False)
            problems += len(report.problems)
            if report.stopped:
                break
    except (WebChatError, OSError) as error:
        raise refusal(error) from error
    sys.exit(1 if problems else 0)


@click.command()
@_home_option
@click.option("--repair", is_flag=True, help="Mend what is safe, after a copy of it.")
def doctor(home: str | None, repair: bool) -> None:
    """Say what is wrong with the folder, its files, the model and the settings, and what to do."""
    from webchat.models import models_folder
    from webchat.serving.doctor import Doctor
    from webchat.storage import storage_at

    try:
        told, _ = config.load({"AMPLIFIER_HOME": home}, os.environ)
        settings, _ = config.load({"AMPLIFIER_HOME": home}, os.environ, storage_at(told.storage).documents)
        looking = Doctor(settings, models_folder())
        for name, what in looking.repair() if repair else ():
            click.echo(plain(f"{name}: {what}"))
        examined = list(looking.examine())
    except (WebChatError, OSError) as error:
        raise click.ClickException(str(error)) from error
    for one in examined:
        for finding in one.findings:
            kind = "note" if finding.is_note else "WRONG"
            click.echo(plain(f"{kind:8} {one.name}: {finding.problem}; {finding.advice}."))
        if not one.findings:
            click.echo(f"{'fine':8} {one.name}")
    sys.exit(any(not finding.is_note for one in examined for finding in one.findings))
