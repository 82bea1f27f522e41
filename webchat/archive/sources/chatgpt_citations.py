"""Resolves ChatGPT's private marks in a text: citations become links, names become text."""

from __future__ import annotations

import json
import re
from functools import cached_property
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


class Links:
    """The links of one message, which its texts have in place of their marks."""

    def __init__(self, metadata: Table) -> None:
        self._metadata = metadata

    def in_place_of_marks(self, said: str) -> str:
        """The text with links in place of its marks."""
        if "【" in said:
            said = _SOURCE.sub(self._older, said)
        if ":::writing" in said:
            said = _WRITING.sub("", said)
        if "\ue200" not in said and "【" not in said:
            return said
        for mark, linked in self._by_mark:
            said = said.replace(mark, linked)
        return _LEFT.sub("", _MARK.sub(_named, said))

    @cached_property
    def _by_mark(self) -> list[tuple[str, str]]:
        references = islice(rows(self._metadata.get("content_references")), MOST)
        marked = ((text(reference.get("matched_text")), reference) for reference in references)
        return [(mark, _linked(reference)) for mark, reference in marked if mark.startswith(("\ue200", "【"))]

    def _older(self, mark: re.Match[str]) -> str:
        """The link of an older citation."""
        by_start, by_number = self._cited
        shown = by_start.get(mark.start()) or by_number.get(mark[1])
        return f" ({shown})" if shown else mark[0]

    @cached_property
    def _cited(self) -> tuple[dict[int, str], dict[str, str]]:
        """The older citations by the position of their mark, and by its number, which most have too."""
        by_start: dict[int, str] = {}
        by_number: dict[str, str] = {}
        for row in islice(rows(self._metadata.get("citations")), MOST):
            about, start = table(row.get("metadata")), row.get("start_ix")
            if shown := link(first_text(about, "title", "name"), text(about.get("url"))):
                by_start.setdefault(start if type(start) is int else -1, shown)
                by_number.setdefault(str(table(about.get("extra")).get("cited_message_idx")), shown)
        return by_start, by_number


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
