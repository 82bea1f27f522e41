"""`webchat sessions`: what the page's list does with sessions. Knows the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

import click

from webchat.chat.search import is_wordless
from webchat.cli.default_command import DefaultGroup
from webchat.cli.session_id import deleted_that_begin_so, sessions_that_begin_so
from webchat.cli.terminal import NOT_NOW
from webchat.cli.where import Where, where_options
from webchat.terminal.safe import json_text, safe_line
from webchat.terminal.transcript import hit_lines, message_text, session_line

if TYPE_CHECKING:
    from webchat.terminal.client import ChatClient, Fields

INDEX_PATIENCE, INDEX_PAUSE = 10.0, 0.1
"""Seconds to wait for the search index, and between two looks at it."""
SHOWN = 50
"""Sessions that are listed without `--all`."""


def _options(command: Callable[..., None]) -> Callable[..., None]:
    return where_options(click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command))


@click.group("sessions", cls=DefaultGroup, default="list")
def session_group() -> None:
    """List, show, search, rename, delete and restore sessions; by default, list them.

    All of this works while servers run. Any unambiguous beginning of an id will do.
    """


@session_group.command("list")
@_options
@click.option("--archived", "show", flag_value="archived", help="List archived sessions.")
@click.option("--trash", "show", flag_value="trash", help="List the trash.")
@click.option("--folder", help="Only sessions in this folder.", metavar="FOLDER")
@click.option("--all", "every", is_flag=True, help=f"List all, not only the first {SHOWN}.")
def list_sessions(where: Where, as_json: bool, show: str | None, folder: str | None, every: bool) -> None:
    """List sessions: temporary and pinned ones first, then the newest."""
    with where.sessions() as chat:
        rows = chat.rows(show or "", folder)
        found = list(rows if every else islice(rows, SHOWN + 1))
    shown = found if every else found[:SHOWN]
    if as_json:
        click.echo(json_text({"sessions": shown, "has_more": len(found) > len(shown)}))
        return
    _lines(map(session_line, shown))
    if not found:
        click.echo("There are no sessions here.", err=True)
    if len(found) > len(shown):
        click.echo(f"Only the first {SHOWN} are listed; use --all for all of them.", err=True)


@session_group.command("show")
@_options
@click.argument("session_id", shell_complete=sessions_that_begin_so, metavar="SESSION")
def show_session(where: Where, as_json: bool, session_id: str) -> None:
    """Print a session's messages."""
    with where.sessions() as chat:
        session = chat.get(chat.path(chat.session_id_of(session_id)))
    if as_json:
        click.echo(json_text(session))
    else:
        for notice in session.get("notices", ()):
            click.echo(safe_line(notice), err=True)
        _lines(map(message_text, session["messages"]))


@session_group.command("search")
@_options
@click.argument("words", nargs=-1, required=True)
def search_sessions(where: Where, as_json: bool, words: tuple[str, ...]) -> None:
    """Find sessions by words in their titles and messages.

    Waits up to ten seconds for the search index. If it is not complete by then, what is indexed is searched, and the
    exit code is 7.
    """
    sought = " ".join(words).strip()
    if not sought:
        raise click.UsageError("Enter a word to search for.")
    if is_wordless(sought):
        raise click.UsageError("Punctuation alone is not searched. Add a word.")
    with where.sessions() as chat:
        found = _searched(chat, sought)
    if as_json:
        click.echo(json_text(found))
    else:
        _lines(map(session_line, found["sessions"]))
        _lines(line for hit in found["hits"] for line in hit_lines(hit))
        if found["complete"] and not (found["sessions"] or found["hits"]):
            click.echo("Nothing found.", err=True)
    if not found["complete"]:
        click.echo("The search index is still being built; try again in a moment.", err=True)
        sys.exit(NOT_NOW)


def _searched(chat: ChatClient, sought: str) -> Fields:
    """What is found once the index is complete, or has been waited for."""
    end = time.monotonic() + INDEX_PATIENCE
    found = chat.page("", sought, None, 0)
    while not found["complete"] and time.monotonic() < end:
        time.sleep(INDEX_PAUSE)
        found = chat.page("", sought, None, 0)
    return found


@session_group.command("rename")
@_options
@click.argument("session_id", shell_complete=sessions_that_begin_so, metavar="SESSION")
@click.argument("title")
def rename_session(where: Where, as_json: bool, session_id: str, title: str) -> None:
    """Rename a session. Models no longer change its title."""
    with where.sessions() as chat:
        row = chat.post(chat.path(chat.session_id_of(session_id), "rename"), {"title": title})
    click.echo(json_text(row) if as_json else session_line(row))


@session_group.command("delete")
@_options
@click.argument("session_ids", shell_complete=sessions_that_begin_so, nargs=-1, required=True, metavar="SESSION...")
def delete_sessions(where: Where, as_json: bool, session_ids: tuple[str, ...]) -> None:
    """Stop the answers of sessions and move them to the trash. Temporary ones are deleted at once."""
    with where.sessions() as chat:
        done = chat.post("/sessions/delete", {"id": [chat.session_id_of(name) for name in session_ids]})
    _say(done, as_json, "in the trash. “webchat sessions restore” brings it back.")


@session_group.command("restore")
@_options
@click.argument("session_ids", shell_complete=deleted_that_begin_so, nargs=-1, required=True, metavar="SESSION...")
def restore_sessions(where: Where, as_json: bool, session_ids: tuple[str, ...]) -> None:
    """Restore sessions from the trash."""
    with where.sessions() as chat:
        done = chat.post("/sessions/restore", {"id": [chat.session_id_of(name, in_trash=True) for name in session_ids]})
    _say(done, as_json, "back.")


def _say(done: Fields, as_json: bool, what: str) -> None:
    if as_json:
        click.echo(json_text(done))
    else:
        gone = done.get("gone", [])
        _lines(f"{safe_line(name)} is {'gone.' if name in gone else what}" for name in done["sessions"])


def _lines(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)
