"""Resolves ChatGPT's private marks in a text: citations become links, names become text."""

from __future__ import annotations

import json
import re
from itertools import islice

from webchat.archive.foreign import link
from webchat.archive.lenient import Table, first_text, rows, table, text

MOST = 500
"""The most citations of one message that are resolved."""
_MARK = re.compile("\ue200(\\w*)\ue202?([^\ue200\ue201]*)\ue201")
_LEFT = re.compile("[\ue200-\ue20f]")
_WRITING = re.compile(r"^:::(?:writing\{[^}\n]*\})?[ \t]*(?:\n|\Z)", re.MULTILINE)
"""The fences around a text meant for copying."""


def with_links(said: str, metadata: Table) -> str:
    """The text with links in place of its marks."""
    if ":::writing" in said:
        said = _WRITING.sub("", said)
    if "\ue200" not in said and "【" not in said:
        return said
    said = _older(said, metadata)
    for reference in islice(rows(metadata.get("content_references")), MOST):
        mark = text(reference.get("matched_text"))
        if mark.startswith(("\ue200", "【")):
            said = said.replace(mark, _linked(reference))
    return _LEFT.sub("", _MARK.sub(_named, said))


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
    """Resolves citations given by position, the last one first so that the other positions stay valid."""
    found = [
        (row.get("start_ix"), row.get("end_ix"), table(row.get("metadata"))) for row in rows(metadata.get("citations"))
    ]
    places = [(start, end, about) for start, end, about in found if type(start) is int and type(end) is int]
    for start, end, about in sorted(places[:MOST], key=lambda place: place[0], reverse=True):
        if text(about.get("url")) and 0 <= start < end and said[start:end].startswith("【"):
            said = f"{said[:start]} ({link(text(about.get('title')), text(about.get('url')))}){said[end:]}"
    return said
