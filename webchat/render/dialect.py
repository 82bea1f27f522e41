"""The Markdown dialect of answers: its syntax rules and how each element is rendered."""

from __future__ import annotations

from functools import lru_cache

from markdown_it import MarkdownIt
from mdit_py_plugins.tasklists import tasklists_plugin

from webchat.render.alerts import name_alerts
from webchat.render.definitions import define_addresses_only
from webchat.render.depth import show_depths
from webchat.render.elements import RULES
from webchat.render.emphasis import friendly_to_all_scripts
from webchat.render.fences import nest_fences
from webchat.render.folded import fold_details, show_details
from webchat.render.formulas import keep_formulas, read_formulas
from webchat.render.headings import underline_titles_only
from webchat.render.links import link_addresses
from webchat.render.lists import join_lists
from webchat.render.notes import mark_references, read_definitions
from webchat.render.tables import keep_cells
from webchat.render.tags import read_tags
from webchat.render.targets import show_targets


@lru_cache(maxsize=1)
def outline() -> MarkdownIt:
    """A parser that finds only blocks, not their inline content."""
    return _dialect().disable("inline")


@lru_cache(maxsize=2)
def parser(*, tasks: bool) -> MarkdownIt:
    """A parser that renders whole blocks, with check boxes only if `tasks`."""
    made = _dialect().use(tasklists_plugin) if tasks else _dialect()
    for extend in (
        friendly_to_all_scripts,
        link_addresses,
        mark_references,
        read_formulas,
        read_tags,
        show_details,
        show_targets,
    ):
        extend(made)
    for rule, render in RULES.items():
        made.add_render_rule(rule, render)
    return made


def _dialect() -> MarkdownIt:
    # "breaks": line breaks in a chat are deliberate, as in verses, addresses and lists of short lines.
    dialect = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    for extend in (
        define_addresses_only,
        fold_details,
        join_lists,
        keep_cells,
        keep_formulas,
        name_alerts,
        nest_fences,
        read_definitions,
        show_depths,
        underline_titles_only,
    ):
        extend(dialect)
    return dialect
