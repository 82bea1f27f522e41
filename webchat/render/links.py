"""Turns plain URLs in a text into links, in linear time."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

from webchat.render.targets import is_address

LONGEST = 2048
"""The most characters of an address that becomes a link; a longer run of text without spaces stays text."""
_SCHEME = re.compile(r"(?:^|[^a-z0-9+-])(https?|mailto)$", re.IGNORECASE)
_BEFORE = 10
"""The characters in which to look for a scheme and what precedes it."""
_RUN = re.compile(rf"\S{{1,{LONGEST}}}")
_NUMERIC_HOST = re.compile(r"(https?://)(\[[0-9a-f:.]{2,45}\])(?![\w%-]|\.\w)", re.IGNORECASE)
_NAMED_PORT = re.compile(r"[a-z]+://[^[/:?#@\s]+:(?![^/\s]*@)[A-Za-z<{$]", re.IGNORECASE)
"""A placeholder for a port: without it the address would be another one."""
_BLANK = re.compile(r"\s")
_BEHIND = re.compile(
    "[`\xab\xbb\u060c\u061b\u061f\u06d4\u0964\u0965\u2014\u2018-\u201f\u2026\u2039\u203a]"
    "|[\u3000-\u3003\u3008-\u301f\uff01-\uff0f\uff1a-\uff1f\uff3b-\uff3e\uff5b-\uff65]|\\*\\*"
)
"""Ends an address: quotation marks, dashes, punctuation of Arabic, Hindi and East Asia, which follows without a space,
and the delimiters of bold text and code."""


def link_addresses(parser: MarkdownIt) -> None:
    """Make the parser link addresses, in place of its own two rules, which scan the whole text repeatedly."""
    if parser.linkify:
        # Only full URLs: "main.py" is a file, not a host in Paraguay.
        parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False})
    parser.inline.ruler.at("linkify", _address)
    parser.inline.ruler.enable("linkify")


def _address(state: StateInline, silent: bool) -> bool:
    """The rule for one position, at the colon after a scheme."""
    if state.src[state.pos] != ":" or state.linkLevel > 0:
        return False
    scheme = _SCHEME.search(state.src[max(0, state.pos - _BEFORE) : state.pos])
    if scheme is None or not state.pending.lower().endswith(scheme[1].lower()):
        return False
    begin = state.pos - len(scheme[1])
    url = _url_at(state, begin)
    address = state.md.normalizeLink(url)
    if not url:
        return False
    if not is_address(address) or _NAMED_PORT.match(state.src, begin):
        state.env["no address"] = state.src, begin + len(url)
        return False
    if not silent:
        state.pending = state.pending[: -len(scheme[1])]
        _push_link(state, address, url)
    state.pos = begin + len(url)
    return True


def _url_at(state: StateInline, begin: int) -> str:
    """The address that begins there, or "". After one miss, the rest of a run of text without spaces is skipped."""
    missed_in, until = state.env.get("no address", ("", 0))
    if missed_in is state.src and begin < until:
        return ""
    run = _RUN.match(state.src, begin)
    assert run is not None  # noqa: S101  (a scheme begins there)
    linkify = state.md.linkify
    # linkify-it knows no address such as [::1]: it sees a name of the same length.
    known = _NUMERIC_HOST.sub(lambda found: found[1] + "x" * len(found[2]), run[0], count=1)
    found = linkify.match_at_start(known) if linkify and len(run[0]) < LONGEST else None
    if found is None:
        end = _BLANK.search(state.src, run.end())
        state.env["no address"] = state.src, end.start() if end else len(state.src)
        return ""
    url = _BEHIND.split(run[0][: len(str(found.raw))], maxsplit=1)[0]
    url = url.rstrip("*.,:;!?")  # emphasis, and the sentence's end
    before = state.src[begin - 1 : begin]
    if url.endswith("://"):
        return ""
    return url.rstrip(before) if before and before in "_~" else url


def _push_link(state: StateInline, address: str, text: str) -> None:
    opening = state.push("link_open", "a", 1)
    opening.attrs = {"href": address}
    opening.markup, opening.info = "linkify", "auto"
    state.push("text", "", 0).content = state.md.normalizeLinkText(text)
    closing = state.push("link_close", "a", -1)
    closing.markup, closing.info = "linkify", "auto"
