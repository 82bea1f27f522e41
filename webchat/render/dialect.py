"""The Markdown that answers are written in: which rules there are, and how each thing is shown."""

from __future__ import annotations

from functools import lru_cache

from markdown_it import MarkdownIt
from mdit_py_plugins.tasklists import tasklists_plugin

from webchat.render.elements import RULES
from webchat.render.links import link_addresses


@lru_cache(maxsize=1)
def outline() -> MarkdownIt:
    """Finds blocks only, not what is in them."""
    return _dialect().disable("inline")


@lru_cache(maxsize=2)
def parser(*, tasks: bool) -> MarkdownIt:
    """Renders whole blocks; check boxes only with `tasks`."""
    made = _dialect().use(tasklists_plugin) if tasks else _dialect()
    link_addresses(made)
    for rule, render in RULES.items():
        made.add_render_rule(rule, render)
    return made


def _dialect() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
