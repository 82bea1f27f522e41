"""Turns plain URLs in a text into links, in linear time."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

from webchat.render.emphasis import is_unspaced
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
    "[`\xab\xbb\u060c\u061b\u061f\u06d4\u0964\u0965\u2014\u2018-\u201f\u2026\u2039-\u203b\u2190-\u21ff]"
    "|[\u3000-\u3003\u3008-\u301f\ufe10-\ufe19\ufe30-\ufe6b\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40]"
    "|[\uff5b-\uff65\uffe0-\uffe6]|\\*\\*"
)
"""Ends an address: quotation marks, dashes, arrows, punctuation of Arabic, Hindi and East Asia, which follows without a
space, and the delimiters of bold text and code."""
_JOINT = re.compile(r"(?<=[A-Za-z0-9])[^\x00-\x7f]+")
_TITLE = re.compile(r"/(?:wiki|item)/[^/]*$")
"""The title of a page, such as "C语言", which may be in two scripts."""
_GOES_ON = re.compile(r"[/.&=_%-][A-Za-z0-9]|/_")
_HOST = re.compile(r"(?:https?://|mailto:)[^/?#]*$", re.IGNORECASE)
_SENTENCE = re.compile(
    "[\u060c\u061b\u061f\u06d4\u0964\u0965\u2014\u2026\u3001\u3002\uff01\uff0c\uff0e\uff1a\uff1b\uff1f\uff61\uff64]"
)
"""Punctuation of a sentence, so that a text comes before it."""


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
    known = _NUMERIC_HOST.sub(
        lambda found: found[1] + "x" * len(found[2]), _without_text(run[0], state.src[begin - 1 : begin]), count=1
    )
    found = linkify.match_at_start(known) if linkify and len(run[0]) < LONGEST else None
    if found is None:
        end = _BLANK.search(state.src, run.end())
        state.env["no address"] = state.src, end.start() if end else len(state.src)
        return ""
    url = run[0][: len(str(found.raw))].rstrip("*.,:;!?")  # emphasis, and the sentence's end
    before = state.src[begin - 1 : begin]
    if url.endswith("://"):
        return ""
    return url.rstrip(before) if before and before in "_~" else url


def _without_text(run: str, before: str) -> str:
    """A run that begins with an address, without the text that follows in a script that puts no space there.

    Letters of such a script right after Latin ones or digits are that text in the name of a host. Elsewhere they are if
    they are in a sentence: punctuation follows, or more text, and there is no space before the address either.
    Not if the address has others before them, names a page, or goes on behind them.
    """
    mark = _BEHIND.search(run)
    run, behind = (run[: mark.start()], mark[0]) if mark else (run, "")
    joint = _JOINT.search(run)
    if joint is None or not is_unspaced(joint[0][0]) or not run[: joint.start()].isascii():
        return run
    if _GOES_ON.match(run, joint.end()) or _TITLE.search(run, 0, joint.start()):
        return run
    in_sentence = _SENTENCE.match(behind) or (joint.end() < len(run) and before and is_unspaced(before))
    return run[: joint.start()] if in_sentence or _HOST.match(run, 0, joint.start()) else run


def _push_link(state: StateInline, address: str, text: str) -> None:
    opening = state.push("link_open", "a", 1)
    opening.attrs = {"href": address}
    opening.markup, opening.info = "linkify", "auto"
    state.push("text", "", 0).content = state.md.normalizeLinkText(text)
    closing = state.push("link_close", "a", -1)
    closing.markup, closing.info = "linkify", "auto"
