"""Groups of commands of which one may be left out. Knows no command."""

from __future__ import annotations

from typing import Any

import click


class DefaultGroup(click.Group):
    """`webchat --backend mock` is `webchat serve --backend mock`."""

    def __init__(self, *given: Any, default: str, **more: Any) -> None:  # noqa: ANN401
        """`default` is the name of the command that is meant if none is named."""
        super().__init__(*given, **more)
        self.default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Any other word is a command that is misspelled.
        is_named = bool(args) and (not args[0].startswith("-") or args[0] in ("--help", "--version", "-h"))
        # A shell that completes the line should offer the commands.
        if not is_named and not ctx.resilient_parsing:
            args = [self.default, *args]
        return super().parse_args(ctx, args)
