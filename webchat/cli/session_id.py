"""Completes a session's id on the command line. Knows no command."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import click
from click.shell_completion import CompletionItem

from webchat.chat.session import named_part
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
    named = ((_id_that_begins_so(row, incomplete), row["description"]) for row in rows)
    return [CompletionItem(name, help=safe_line(title)) for name, title in named if name]


def _id_that_begins_so(row: Mapping[str, Any], incomplete: str) -> str | None:
    """Its id or, if only that begins so, the part of it whose beginning people are shown."""
    names = row["session_id"], named_part(row["session_id"], is_others="program" in row)
    return next((name for name in names if name.startswith(incomplete)), None)
