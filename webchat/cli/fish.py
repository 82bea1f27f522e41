"""Completion in the shell fish, with descriptions and titles as they are. Knows no command."""

from __future__ import annotations

from click.shell_completion import FishComplete, add_completion_class


class WholeDescriptions(FishComplete):
    """By click's own script fish shows a description up to its first comma."""

    source_template = FishComplete.source_template.replace('string split ","', 'string split --max 1 ","')


def set_up() -> None:
    """Take this script from now on."""
    add_completion_class(WholeDescriptions)
