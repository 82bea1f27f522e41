"""The Markdown that answers are written in: which rules there are, and how each thing is shown."""

from __future__ import annotations

from functools import lru_cache

from markdown_it import MarkdownIt
from mdit_py_plugins.tasklists import tasklists_plugin

from webchat.render.elements import RULES
from webchat.render.emphasis import friendly_to_east_asia
from webchat.render.links import link_addresses
from webchat.render.tags import read_tags
from webchat.render.targets import show_targets


@lru_cache(maxsize=1)
def outline() -> MarkdownIt:
    """Finds blocks only, not what is in them."""
    return _dialect().disable("inline")


@lru_cache(maxsize=2)
def parser(*, tasks: bool) -> MarkdownIt:
    """Renders whole blocks; check boxes only with `tasks`."""
    made = _dialect().use(tasklists_plugin) if tasks else _dialect()
    for extend in (friendly_to_east_asia, link_addresses, read_tags, show_targets):
        extend(made)
    for rule, render in RULES.items():
        made.add_render_rule(rule, render)
    return made


def _dialect() -> MarkdownIt:
    # "breaks": who writes in a chat ends a line on purpose, in verses and addresses as in lists of short lines.
    return MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
