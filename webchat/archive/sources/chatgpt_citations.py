"""Resolves ChatGPT's private marks in a text: citations become links, names become text."""

from __future__ import annotations

import json
import re
from itertools import islice

from webchat.archive.foreign import link
from webchat.archive.lenient import Table, first_text, rows, table, text

MOST = 500
"""The most citations of one message that are resolved."""
_MARK = re.compile("\ue200(\\w*+)\ue202?+([^\ue200\ue201]*+)\ue201")
_LEFT = re.compile("[\ue200-\ue20f]")
_SOURCE = re.compile(r"【(\d{1,9})(?::\d{1,9})?†([^【】\n]{1,300})】")
_SAYS_NOTHING = re.compile(r"\s*(?:source|L\d+(?:-L?\d+)?)\s*", re.IGNORECASE)
_WRITING = re.compile(r"^:::(?:writing\{[^}\n]*\})?[ \t]*(?:\n|\Z)", re.MULTILINE)
"""The fences around a text meant for copying."""


def with_links(said: str, metadata: Table) -> str:
    """The text with links in place of its marks."""
    if "【" in said:
        said = _older(said, metadata)
    if ":::writing" in said:
        said = _WRITING.sub("", said)
    if "\ue200" not in said and "【" not in said:
        return said
    for reference in islice(rows(metadata.get("content_references")), MOST):
        mark = text(reference.get("matched_text"))
        if mark.startswith(("\ue200", "【")):
            said = said.replace(mark, _linked(reference))
    return _LEFT.sub("", _MARK.sub(_named, said))


def without_marks(said: str) -> str:
    """An answer's text without the marks that nothing resolves; one that names its source becomes that name."""
    return _SOURCE.sub(_name_in, said) if "【" in said else said


def _name_in(mark: re.Match[str]) -> str:
    return "" if _SAYS_NOTHING.fullmatch(mark[2]) else f" ({mark[2]})"


def _linked(reference: Table) -> str:
    """The links of one reference, each after a space; its name if it has none."""
    items = [item for item in rows(reference.get("items")) if text(item.get("url"))]
    items += [reference] if text(reference.get("url")) else []
    links = [link(first_text(item, "title", "attribution", "name"), text(item.get("url"))) for item in items]
    if links:
        return f" ({', '.join(dict.fromkeys(links))})"
    return first_text(reference, "alt", "prompt_text", "name")


def _named(mark: re.Match[str]) -> str:
    """The text inside a mark without a reference."""
    kind, rest = mark[1], mark[2].split("\ue202")
    if kind == "url" and len(rest) > 1:
        return link(rest[0], rest[1])
    if kind in ("cite", "filecite", "navlist", "image_group", "i"):
        return ""
    try:
        values = json.loads(rest[-1])
    except (ValueError, RecursionError):
        return ""
    return next(filter(None, map(text, values[1:])), "") if isinstance(values, list) else ""


def _older(said: str, metadata: Table) -> str:
    """Resolves older citations, which have the position of their mark, and mostly its number too."""
    by_start: dict[int, str] = {}
    by_number: dict[str, str] = {}
    for row in islice(rows(metadata.get("citations")), MOST):
        about, start = table(row.get("metadata")), row.get("start_ix")
        if shown := link(first_text(about, "title", "name"), text(about.get("url"))):
            by_start.setdefault(start if type(start) is int else -1, shown)
            by_number.setdefault(str(table(about.get("extra")).get("cited_message_idx")), shown)

    def resolved(mark: re.Match[str]) -> str:
        shown = by_start.get(mark.start()) or by_number.get(mark[1])
        return f" ({shown})" if shown else mark[0]

    return _SOURCE.sub(resolved, said)
