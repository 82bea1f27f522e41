"""Definitions of links' addresses, "[label]: address". A line that only resembles one is shown as it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, reference
from markdown_it.token import Token

from webchat.render.targets import is_address

_PICTURE = re.compile("data:image/", re.IGNORECASE)


def define_addresses_only(parser: MarkdownIt) -> None:
    """Make the parser take a line for a definition only if what it defines is an address.

    CommonMark accepts any word, and shows nothing of "[Bob]: No.", a line of a dialogue. Nor does it show an address
    that nothing refers to, or a label's second one. At the end `env["unused"]` are the labels without a reference: then
    their definitions, and all second ones, become text. `env["hides"]` says whether there are second ones.
    """
    parser.options["store_labels"] = True
    parser.block.ruler.at("reference", _definition)


def used_labels(tokens: Sequence[Token]) -> Iterator[str]:
    """The labels of the definitions that the parsed text refers to."""
    for token in tokens:
        if "label" in token.meta:
            yield token.meta["label"]
        if token.children:
            yield from used_labels(token.children)


def _definition(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    known = state.env.get("references", {})
    # Apart from the known ones, so that the address which was read is at hand, also of a label defined before.
    state.env["references"] = read = dict[str, dict[str, str]]()
    found = reference(state, line, end, silent)
    state.env["references"] = known
    if any(not _defines(each["href"]) for each in read.values()):
        state.line = line
        return False
    unused = state.env.get("unused")
    for label, each in read.items():
        is_other = known.setdefault(label, each)["href"] != each["href"]
        if unused is not None and (is_other or label in unused):
            _show(state, line)
        state.env["hides"] |= is_other
    return found


def _show(state: StateBlock, first: int) -> None:
    """Make the lines of a definition a paragraph."""
    state.push("paragraph_open", "p", 1).map = [first, state.line]
    text = state.push("inline", "", 0)
    # The bracket as a reference to its character: the label may be that of a link.
    text.content = "&#91;" + state.getLines(first, state.line, state.blkIndent, False).strip()[1:]
    text.map, text.children = [first, state.line], []
    state.push("paragraph_close", "p", -1)


def _defines(target: str) -> bool:
    return is_address(target) or _PICTURE.match(target) is not None
