"""`webchat export`, `import` and `doctor`: what is kept, without a server. Knows no server."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from webchat import config
from webchat.chat.plain import one_line
from webchat.chat.session import is_called, short_id
from webchat.cli.output import written
from webchat.cli.place import Place, owner_option, place_options, settings_at
from webchat.cli.program import CTRL_C
from webchat.cli.session_id import sessions_that_begin_so
from webchat.cli.terminal import plain
from webchat.conventions import EXPORT_FORMATS
from webchat.errors import SessionNotFound
from webchat.serving.logs import printable

if TYPE_CHECKING:
    from webchat.archive import Report
    from webchat.chat.session import WebChatSession
    from webchat.cli.moved_settings import Which
    from webchat.manager import WebChatSessionManager
    from webchat.people.moving import Mover, TakeSettings


OTHERS = (
    "{} sessions that are not in this export. “webchat people” lists them; “webchat people export NAME” exports all of "
    "one person's data."
)
FORMATS = (*EXPORT_FORMATS, "zip")
SETTINGS_DAMAGED = "Some of the saved settings cannot be read and are not exported. “webchat doctor” shows the details."


@contextmanager
def _kept(place: Place) -> Iterator[WebChatSessionManager]:
    """The sessions that are kept there, with nobody to answer."""
    from webchat.backends.mock import MockBackend
    from webchat.manager import WebChatSessionManager
    from webchat.programs import known

    settings = settings_at(place)
    programs = known.programs(settings.sources, settings.home, is_shared=settings.is_shared)
    with closing(WebChatSessionManager(MockBackend(), settings.storage, programs=programs)) as manager:
        yield manager


@click.command("export")
@place_options
@owner_option
@click.argument("session_ids", shell_complete=sessions_that_begin_so, nargs=-1, metavar="[SESSION]...")
@click.option("-o", "--output", default="-", help="File to write to; standard output by default.", metavar="FILE")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="A zip has everything: also the trash, queued messages, memories and, without --owner, saved settings. JSON "
    "Lines have the sessions; both can be imported. Markdown and HTML are for reading. By default FILE's ending "
    "decides; without one, it is a zip, or JSON Lines if sessions are named.",
)
def export_sessions(
    place: Place, owner: str | None, session_ids: tuple[str, ...], output: str, form: str | None
) -> None:
    """Export sessions; by default everything."""
    form = form or _form(output, session_ids)
    _check(form, output, session_ids)
    with _kept(place) as manager:
        every = sorted(manager.list_sessions(owner), key=lambda session: (session.created_at, session.session_id))
        chosen = [_called(name, every, manager) for name in session_ids] or [item for item in every if item.begun]
        others = _others(manager) if owner is None and not session_ids else 0
        title = config.load(place, os.environ)[0].title
        notices: list[str] = []
        with written(output) as file:
            if form == "zip":
                notices += _everything(manager, owner, file)
            else:
                for part in manager.archive.export_as(form, chosen, lambda one: notices.append(one.notice), title):
                    file.write(part)
    for notice in notices:
        click.echo(printable(notice), err=True)
    if others:
        click.echo(OTHERS.format(f"{others} people have" if others > 1 else "1 person has"), err=True)
    sys.exit(1 if notices or (others and not chosen) else 0)


def _form(output: str, session_ids: Sequence[str]) -> str:
    """The format to export in if none is chosen."""
    ending = Path(output).suffix.removeprefix(".")
    return ending if ending in FORMATS else "jsonl" if session_ids else "zip"


def _check(form: str, output: str, session_ids: Sequence[str]) -> None:
    """Raises click.UsageError if that cannot be exported so."""
    if form == "zip" and session_ids:
        raise click.UsageError("A zip contains all sessions: name none, or choose another format.")
    if form == "zip" and output == "-" and sys.stdout.isatty():
        raise click.UsageError("A zip cannot be shown in a terminal: use -o FILE, a pipe, or --format jsonl.")


def _everything(manager: WebChatSessionManager, owner: str | None, file: IO[bytes]) -> list[str]:
    """Write a zip with all of this person's data or, of a chat without sign-in, with its saved settings, too.

    Returns what is left out, a sentence each.
    """
    from webchat.cli.everybody import everybody
    from webchat.cli.moved_settings import exported

    settings, is_whole = (None, True) if owner is not None else exported(manager.storage.documents)
    left_out = everybody(manager).export(owner, file, settings)
    return [*(one.notice for one in left_out), *([] if is_whole else [SETTINGS_DAMAGED])]


def _called(given: str, every: Sequence[WebChatSession], manager: WebChatSessionManager) -> WebChatSession:
    """The session with this id, or the only one with an id that begins so; another program's if none of ours does.

    Raises SessionNotFound, SeveralSessions.
    """
    from webchat.terminal.client import SeveralSessions

    found = [item for item in every if given and is_called(given, item.session_id)]
    if given and not found:
        theirs = manager.programs.page(None, None, None)
        found = [item for item in theirs if is_called(given, item.session_id, is_others=True)]
        found = found or [item for item in [manager.programs.find(given)] if item]
    found = [item for item in found if item.session_id == given] or found
    if len(found) > 1:
        raise SeveralSessions(given, [item.session_id for item in found])
    if not found:
        raise SessionNotFound(given)
    return found[0]


def _others(manager: WebChatSessionManager) -> int:
    """How many people who sign in have sessions."""
    return sum(1 for kept in manager.storage.people() if kept.owner is not None and kept.sessions)


def _or_standard_input(_: click.Context, parameter: click.Parameter, files: tuple[Any, ...]) -> tuple[Any, ...]:
    """A callback for files to read. Raises click.MissingParameter if there are none and nobody pipes anything in."""
    if files:
        return files
    if sys.stdin.isatty():
        raise click.MissingParameter(param=parameter, param_hint="'FILES...'")
    return (click.open_file("-", "rb"),)


@click.command("import")
@place_options
@owner_option
@click.option(
    "--settings",
    type=click.Choice(["missing", "all", "none"]),
    default="none",
    show_default=True,
    help="Which saved settings of a whole chat's export to import: those that are not set here, all of them, or none.",
)
@click.argument("files", nargs=-1, type=click.File("rb"), callback=_or_standard_input)
def import_sessions(place: Place, owner: str | None, settings: Which, files: tuple[Any, ...]) -> None:
    """Import sessions: our own exports, or those of ChatGPT, Claude, Open WebUI and others, zipped or not.

    Without FILES, standard input is imported: webchat export | webchat import --database ADDRESS
    """
    from webchat.archive.beside import Together
    from webchat.archive.others import UnknownKind
    from webchat.cli.moved_settings import SettingsIntake
    from webchat.cli.terminal_import import watched

    problems, only_pictures, together = 0, 0, Together(files)
    with _kept(place) as manager:
        intake = SettingsIntake(manager.storage.documents, settings, os.environ)
        mover = _mover(manager, owner, intake if owner is None or settings == "none" else None)
        for file in files:
            name = one_line(file.name)
            with watched(file.name) as watch:
                report = mover.bring_in(file, watch, together)
            summary = "only pictures" if report.is_only_pictures else _summary(report)
            click.echo(f"{name}: {summary}{plain(intake.summary)}")
            _tell(name, [*intake.notes(), *report.problems])
            problems += len(report.problems)
            only_pictures += report.is_only_pictures
            if report.stopped:
                break
    if only_pictures == len(files):
        click.echo(UnknownKind(has_pictures=True), err=True)
        problems += 1
    sys.exit(CTRL_C if watch.is_cancelled else 1 if problems else 0)


def _tell(name: str, notes: Sequence[str]) -> None:
    click.echo("".join(f"{name}: {plain(note)}\n" for note in notes), err=True, nl=False)


def _mover(manager: WebChatSessionManager, owner: str | None, take_settings: TakeSettings | None) -> Mover:
    """Imports for this person, with a note if they are disabled."""
    from webchat.cli.everybody import memories
    from webchat.people import DisabledPeople
    from webchat.people.moving import Mover

    if owner is not None and DisabledPeople(manager.storage.documents).is_disabled(owner):
        notice = f"{owner} is disabled; `webchat people enable {shlex.quote(owner)}` lets them in again."
        click.echo(printable(notice), err=True)
    return Mover(manager, memories(manager), owner, take_settings=take_settings)


def _summary(report: Report) -> str:
    """What was imported from one file, as a line."""
    empty = f", {report.empty} without messages skipped" if report.empty else ""
    grown = f", {len(report.grown)} updated" if report.grown else ""
    count = report.missing
    missing = f"; {count} picture{' is' if count == 1 else 's are'} not in the files" if count else ""
    here = f"{report.known} here already{_trash_note(report)}"
    summary = f"{len(report.imported)} imported{grown}, {here}{empty}{missing}"
    if moved := report.moved:
        summary += f"; {moved.trash} into the trash, {moved.memories} memories, {moved.waiting} unsent messages"
    return summary


def _trash_note(report: Report) -> str:
    """Which sessions of the file stay in the trash, and how to restore them."""
    deleted = report.in_trash
    if len(deleted) > 1:
        return f", {len(deleted)} left in the trash (“webchat sessions list --trash” lists them)"
    return f", 1 left in the trash (“webchat sessions restore {short_id(deleted[0])}” restores it)" if deleted else ""


@click.command()
@place_options
@click.option("--repair", is_flag=True, help="Repair what can be repaired safely, after making a copy.")
def doctor(place: Place, repair: bool) -> None:
    """Check the files or the database, the model and the settings, and say what to do."""
    from webchat.models import models_folder
    from webchat.serving.doctor import Doctor
    from webchat.storage import storage_at

    with closing(storage_at(settings_at(place).storage)) as storage:
        settings, _ = config.load(place, os.environ, storage.documents)
    with closing(Doctor(settings, models_folder())) as looking:
        for name, what in looking.repair() if repair else ():
            click.echo(plain(f"{name}: {what}"))
        examined = list(looking.examine())
    for one in examined:
        for finding in one.findings:
            kind = "note" if finding.is_note else "WRONG"
            click.echo(plain(f"{kind:8} {one.name}: {finding.problem}; {finding.advice}."))
        if not one.findings:
            click.echo(f"{'fine':8} {one.name}")
    sys.exit(any(not finding.is_note for one in examined for finding in one.findings))
