"""`webchat chat`: a session at a terminal. Knows the terminal."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from webchat.cli.session_id import sessions_that_begin_so
from webchat.cli.where import Where, answer_options, refusing, where_options
from webchat.extras import install

MISSING = f"webchat chat needs two more packages. Run: {install('terminal')}"
GRACE = 10.0
"""Seconds that an answer has to finish when a person has left; Ctrl+C leaves at once."""
WAITING = f"Waiting up to {GRACE:.0f} seconds for the answer to end. Press Ctrl+C to quit now."
BY_SIGNAL = 128
"""Added to a signal's number, this is a shell's exit code for it."""


@click.command()
@where_options
@click.option(
    "--resume",
    "session_id",
    shell_complete=sessions_that_begin_so,
    metavar="SESSION",
    help="Open this session instead of the current one.",
)
@click.option("--pick", is_flag=True, help="Choose from the newest sessions.")
@click.option("--new", is_flag=True, help="Start a new session.")
@click.option("--temporary", is_flag=True, help="Make new sessions temporary: they are never saved.")
@click.option("--folder", metavar="FOLDER", help="Folder in which new sessions work.")
@answer_options
def chat(
    where: Where,
    session_id: str | None,
    pick: bool,
    new: bool,
    temporary: bool,
    folder: str | None,
    **settings: str | None,
) -> None:
    """Chat at the terminal, in the same sessions as the page, with live updates both ways."""
    if (session_id is not None) + pick + (new or temporary) > 1:
        raise click.UsageError("Use only one of --resume, --pick, and --new or --temporary.")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("webchat chat needs a terminal. In pipes and scripts, use “webchat ask”.")
    options = where.session_options(settings)
    try:
        from webchat.terminal.conversation import TerminalChat
    except ModuleNotFoundError as error:
        raise click.ClickException(MISSING) from error
    from webchat.terminal.answer import chosen_session

    with _leaving_at_sigterm(), refusing(), where.answering(settings, grace=GRACE) as client:
        here = TerminalChat(client, folder, temporary=temporary)
        try:
            picked = here.pick() if pick else session_id
        except (EOFError, KeyboardInterrupt):
            return
        chosen = chosen_session(client, picked, folder, options, new=new, temporary=temporary)
        client.start()
        try:
            here.run(chosen)
        finally:
            if where.url is None and here.paper.is_answering:
                click.echo(WAITING, err=True)


@contextmanager
def _leaving_at_sigterm() -> Iterator[None]:
    """SIGTERM leaves the chat as Ctrl+D does, with the terminal as it was. A second one ends the program at once."""
    before = signal.getsignal(signal.SIGTERM)

    def leave(number: int, frame: FrameType | None) -> None:
        signal.signal(number, before)
        raise SystemExit(BY_SIGNAL + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
