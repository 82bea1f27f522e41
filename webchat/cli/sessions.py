"""`webchat export`, `import` and `doctor`: what is kept, without a server. Knows no server."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from webchat import config
from webchat.chat.plain import one_line
from webchat.chat.session import is_called, short_id
from webchat.cli.output import written
from webchat.cli.place import Place, owner_option, place_options, settings_at
from webchat.cli.program import CTRL_C
from webchat.cli.terminal import plain
from webchat.conventions import EXPORT_FORMATS
from webchat.errors import SessionNotFound
from webchat.serving.logs import printable

if TYPE_CHECKING:
    from webchat.archive import Report
    from webchat.archive.export import LeftOut
    from webchat.chat.session import WebChatSession
    from webchat.manager import WebChatSessionManager
    from webchat.people.moving import Mover


OTHERS = (
    "{} sessions that are not in this export. “webchat people” lists them; “webchat people export NAME” exports all of "
    "one person's data."
)


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
@click.argument("session_ids", nargs=-1, metavar="[SESSION]...")
@click.option("-o", "--output", default="-", help="File to write to; standard output by default.", metavar="FILE")
@click.option(
    "--format",
    "form",
    type=click.Choice([*EXPORT_FORMATS, "zip"]),
    default="jsonl",
    show_default=True,
    help="JSON Lines, or a zip, which also has the trash, queued messages and memories: both can be imported. "
    "Markdown and HTML are for reading.",
)
def export_sessions(place: Place, owner: str | None, session_ids: tuple[str, ...], output: str, form: str) -> None:
    """Export sessions; by default all of them."""
    from webchat.cli.everybody import everybody

    if form == "zip" and session_ids:
        raise click.UsageError("A zip contains all sessions: name none, or choose another format.")
    with _kept(place) as manager:
        every = sorted(manager.list_sessions(owner), key=lambda session: (session.created_at, session.session_id))
        chosen = [_called(name, every, manager) for name in session_ids] or [item for item in every if item.begun]
        others = _others(manager) if owner is None and not session_ids else 0
        title = config.load(place, os.environ)[0].title
        left_out: list[LeftOut] = []
        with written(output) as file:
            if form == "zip":
                left_out += everybody(manager).export(owner, file)
            else:
                for part in manager.archive.export_as(form, chosen, left_out.append, title):
                    file.write(part)
    for one in left_out:
        click.echo(printable(one.notice), err=True)
    if others:
        click.echo(OTHERS.format(f"{others} people have" if others > 1 else "1 person has"), err=True)
    sys.exit(1 if left_out or (others and not chosen) else 0)


def _called(given: str, every: Sequence[WebChatSession], manager: WebChatSessionManager) -> WebChatSession:
    """The session with this id, or the only one with an id that begins so; another program's if none of ours does.

    Raises SessionNotFound, SeveralSessions.
    """
    from webchat.terminal.client import SeveralSessions

    found = [item for item in every if given and is_called(given, item.session_id)]
    if given and not found:
        theirs = manager.programs.page(None, None, None)
        found = [item for item in theirs if is_called(given, item.session_id, is_others=True)]
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
@click.argument("files", nargs=-1, type=click.File("rb"), callback=_or_standard_input)
def import_sessions(place: Place, owner: str | None, files: tuple[Any, ...]) -> None:
    """Import sessions: our own exports, or those of ChatGPT, Claude, Open WebUI and others, zipped or not.

    Without FILES, standard input is imported: webchat export | webchat import --database ADDRESS
    """
    from webchat.archive.beside import Together
    from webchat.archive.others import UnknownKind
    from webchat.cli.terminal_import import watched

    problems, only_pictures, together = 0, 0, Together(files)
    with _kept(place) as manager:
        mover = _mover(manager, owner)
        for file in files:
            name = one_line(file.name)
            with watched(file.name) as watch:
                report = mover.bring_in(file, watch, together)
            click.echo(f"{name}: {'only pictures' if report.is_only_pictures else _summary(report)}")
            click.echo("".join(f"{name}: {problem}\n" for problem in report.problems), err=True, nl=False)
            problems += len(report.problems)
            only_pictures += report.is_only_pictures
            if report.stopped:
                break
    if only_pictures == len(files):
        click.echo(UnknownKind(has_pictures=True), err=True)
        problems += 1
    sys.exit(CTRL_C if watch.is_cancelled else 1 if problems else 0)


def _mover(manager: WebChatSessionManager, owner: str | None) -> Mover:
    """Imports for this person, with a note if they are disabled."""
    from webchat.cli.everybody import memories
    from webchat.people import DisabledPeople
    from webchat.people.moving import Mover

    if owner is not None and DisabledPeople(manager.storage.documents).is_disabled(owner):
        notice = f"{owner} is disabled; `webchat people enable {shlex.quote(owner)}` lets them in again."
        click.echo(printable(notice), err=True)
    return Mover(manager, memories(manager), owner)


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
