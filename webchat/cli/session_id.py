"""Completes a session's id on the command line. Knows no command."""

from __future__ import annotations

from itertools import islice

import click
from click.shell_completion import CompletionItem

from webchat.cli.where import where_of
from webchat.terminal.safe import safe_line

OFFERED = 50
"""Sessions among which a shell may choose: the newest."""


def sessions_that_begin_so(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The sessions with such ids, each with its title; none if they cannot be listed."""
    return _begin_so("", ctx, incomplete)


def deleted_that_begin_so(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The same for those in the trash."""
    return _begin_so("trash", ctx, incomplete)


def _begin_so(show: str, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    try:
        with where_of(ctx.params).sessions() as chat:
            rows = list(islice(chat.rows(show), OFFERED))
    except click.ClickException:
        return []
    begin = [row for row in rows if row["session_id"].startswith(incomplete)]
    return [CompletionItem(row["session_id"], help=safe_line(row["description"])) for row in begin]
