"""`webchat people`: who has something here, and what is to be done with it. Knows the terminal."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from webchat.cli.default_command import DefaultGroup
from webchat.cli.output import written
from webchat.cli.place import Place, named, place_options, settings_at
from webchat.limits import MIB
from webchat.serving.logs import printable

if TYPE_CHECKING:
    from webchat.people.register import People, Person


def _options(command: Callable[..., None]) -> Callable[..., None]:
    return place_options(click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command))


@click.group(cls=DefaultGroup, default="list")
def people() -> None:
    """List, export, disable and remove the people who have signed in; by default, list them.

    All of this works while servers run. NAME is the user name that the proxy passes on.
    """


@people.command("list")
@_options
def list_people(place: Place, as_json: bool) -> None:
    """List everybody with data here, and how much."""
    with _people(place) as everybody:
        found = everybody.all()
    if as_json:
        click.echo(json.dumps([_fields(person) for person in found], ensure_ascii=False))
    else:
        for person in found:
            click.echo(_line(person))


@people.command("export")
@_options
@click.argument("name", callback=named)
@click.option("-o", "--output", required=True, help="File to write to; - for standard output.", metavar="FILE")
def export_person(place: Place, as_json: bool, name: str, output: str) -> None:
    """Export one person's data as a zip: sessions, trash, queued messages and memories."""
    with _people(place) as everybody:
        everybody.get(name)  # before there is a file
        with written(output) as file:
            left_out = everybody.export(name, file)
    for one in left_out:
        click.echo(printable(one.notice), err=True)
    if output != "-":
        named = [one.session.session_id for one in left_out]
        _say(as_json, f"Exported all of {name}'s data to {output}.", exported=name, file=output, left_out=named)
    sys.exit(1 if left_out else 0)


@people.command("remove")
@_options
@click.argument("name", callback=named)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def remove_person(place: Place, as_json: bool, name: str, yes: bool) -> None:
    """Remove one person and all their data permanently, and disable that name."""
    with _people(place) as everybody:
        person = everybody.get(name)
        if not yes:
            click.confirm(f"{_line(person)}\nRemove all of this permanently?", abort=True, err=True)
        removed = everybody.remove(name)
    gone = f"{_counted(removed.sessions, 'session', 'sessions')} and {_counted(removed.memories, 'memory', 'memories')}"
    text = f"{name}: removed {gone}. The name is disabled."
    _say(as_json, text, removed=name, sessions=removed.sessions, memories=removed.memories)


@people.command("disable")
@_options
@click.argument("name", callback=named)
def disable_person(place: Place, as_json: bool, name: str) -> None:
    """Disable one person and stop their answers. Their data stays."""
    with _people(place) as everybody:
        has_anything = everybody.disable(name)
    if not has_anything:
        warning = f"Nobody called “{name}” has anything here: check the name. The name is disabled anyway."
        click.echo(printable(warning), err=True)
    _say(as_json, f"{name} is disabled.", disabled=name)


@people.command("enable")
@_options
@click.argument("name", callback=named)
def enable_person(place: Place, as_json: bool, name: str) -> None:
    """Enable one person again."""
    with _people(place) as everybody:
        was_disabled = everybody.enable(name)
    text = f"{name} is no longer disabled." if was_disabled else f"{name} was not disabled."
    _say(as_json, text, enabled=name, was_disabled=was_disabled)


@contextmanager
def _people(place: Place) -> Iterator[People]:
    """Everybody who has something there."""
    from webchat.backends.mock import MockBackend
    from webchat.cli.everybody import everybody
    from webchat.manager import WebChatSessionManager
    from webchat.storage import storage_at

    with closing(storage_at(settings_at(place).storage)) as storage:
        # For how long others' trash is kept only their server knows: nothing of it expires here.
        yield everybody(WebChatSessionManager(MockBackend(), storage, trash_days=math.inf))


def _fields(person: Person) -> dict[str, object]:
    disabled = person.disabled
    return {
        "name": person.name,
        "sessions": person.kept.sessions - person.kept.deleted,
        "in_trash": person.kept.deleted,
        "bytes": person.kept.bytes,
        "memories": person.memories,
        "last_active": person.kept.last_active or None,
        "disabled_since": disabled.since if disabled else None,
        "removed": bool(disabled and disabled.removed),
    }


def _line(person: Person) -> str:
    kept = person.kept
    name = "(no name)" if person.name is None else printable(person.name)
    disabled = person.disabled
    state = f"  {'removed' if disabled.removed else 'disabled'} {disabled.since[:10]}" if disabled else ""
    sessions = _counted(kept.sessions - kept.deleted, "session", "sessions")
    counts = f"{sessions}, {kept.deleted} in the trash, {_counted(person.memories, 'memory', 'memories')}"
    last = f"  last {kept.last_active[:10]}" if kept.last_active else ""
    return f"{name}  {counts}, {kept.bytes / MIB:.1f} MiB{last}{state}"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _say(as_json: bool, text: str, **fields: object) -> None:
    click.echo(json.dumps(fields, ensure_ascii=False) if as_json else printable(text))
