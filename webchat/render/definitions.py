"""Definitions of links' addresses, "[label]: address". A line that only resembles one is shown as it is written."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, reference

from webchat.render.targets import is_address

_PICTURE = re.compile("data:image/", re.IGNORECASE)


def define_addresses_only(parser: MarkdownIt) -> None:
    """Make the parser take a line for a definition only if what it defines is an address.

    CommonMark accepts any word, and shows nothing of "[Bob]: No.", a line of a dialogue. Whether the label is used is
    not asked: text that has yet to come could use it, and a finished block must not change into nothing.
    """
    parser.block.ruler.at("reference", _definition)


def _definition(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    known = state.env.get("references", {})
    # Apart from the known ones, so that the address which was read is at hand, also of a label defined before.
    state.env["references"] = read = dict[str, dict[str, str]]()
    found = reference(state, line, end, silent)
    state.env["references"] = known
    if any(not _defines(each["href"]) for each in read.values()):
        state.line = line
        return False
    for label, each in read.items():
        known.setdefault(label, each)
    return found


def _defines(target: str) -> bool:
    return is_address(target) or _PICTURE.match(target) is not None
