"""Gemini's activity in a Google Takeout: MyActivity.json, an entry for each prompt, the newest first."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from webchat.archive.foreign import Conversation, Gathered
from webchat.archive.foreign_node import ForeignNode, line_and_picture
from webchat.archive.html_text import as_markdown
from webchat.archive.lenient import Table, rows, text

NAME, SPANS_FILE = "Gemini (Takeout, as JSON)", False
LEAST_TITLES = 3
"""How many titles to compare to learn the word for "Prompted" in the person's language."""
INSTEAD_OF_THE_PAGE = (
    "this is the activity as HTML, which cannot be imported. In Google Takeout choose My Activity, Multiple formats, "
    "and JSON instead of HTML."
)
_TITLE_ON_PAGE = re.compile(rb'class="mdl-typography--title">[^<]*(?:Gemini|Bard)')
_CHAT = re.compile(r"/app/([A-Za-z0-9_-]+)")


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `GroupingSource`."""
    if not isinstance(value, dict) or not isinstance(value.get("time"), str):
        return False
    return any(name in text(value.get("header")) for name in ("Gemini", "Bard")) and isinstance(value.get("title"), str)


def is_page(head: bytes) -> bool:
    """Whether a file that begins like this is the activity as HTML."""
    return _TITLE_ON_PAGE.search(head) is not None


@dataclass
class _Entry:
    title: str
    asked: ForeignNode
    answer: ForeignNode


def conversations(values: Iterator[Any]) -> Iterator[Conversation]:
    """See `GroupingSource`."""
    chats: dict[str, list[_Entry]] = {}
    kept = Gathered()
    for value in values:
        entry = _entry(value)
        if entry and kept.add(entry.answer):
            name = next((found[1] for url in _urls(value) if (found := _CHAT.search(url))), entry.asked.key)
            chats.setdefault(name, []).append(entry)
    known = _known_beginning([entry.title for chat in chats.values() for entry in chat])
    for name, chat in chats.items():
        nodes: list[ForeignNode] = []
        for entry in sorted(chat, key=lambda entry: str(entry.asked.time)):
            entry.asked.content = entry.title.removeprefix(known) + entry.asked.content
            entry.asked.parent, entry.answer.parent = nodes[-1].key if nodes else None, entry.asked.key
            nodes += [entry.asked, entry.answer]
        yield Conversation("gemini", name, "", nodes, nodes[-1].key)
    if kept.is_too_large:
        yield Conversation("gemini", None, "All activity", kept)


def _entry(value: Table) -> _Entry | None:
    """A prompt and its answer; None for other activity, which has no answer."""
    title, time = text(value.get("title")), text(value.get("time"))
    said = "\n\n".join(as_markdown(text(row.get("html"))) for row in rows(value.get("safeHtmlItem")))
    if not said.strip() and not title.startswith("Prompted "):
        return None
    key = hashlib.sha256(f"{time} {title}".encode("utf-8", "replace")).hexdigest()[:32]
    names = value.get("attachedFiles")
    asked = ForeignNode(key, None, "user", time=time)
    for name in filter(None, map(text, names if isinstance(names, list) else ())):
        line, picture = line_and_picture(name, name)
        asked.content += f"\n\n{line}"
        asked.pictures += picture
    return _Entry(title, asked, ForeignNode(f"{key}-a", key, "assistant", said, time))


def _urls(value: Table) -> Iterator[str]:
    yield text(value.get("titleUrl"))
    for row in rows(value.get("details")):
        yield text(row.get("url"))
        yield text(row.get("name"))


def _known_beginning(titles: Sequence[str]) -> str:
    """The words with which all titles begin: "Prompted " in any language."""
    if len(titles) < LEAST_TITLES:
        return "Prompted " if all(title.startswith("Prompted ") for title in titles) else ""
    first, last = min(titles), max(titles)  # all others sort between these
    shared = next((place for place, char in enumerate(first) if char != last[place : place + 1]), len(first))
    return first[: first.rfind(" ", 0, shared) + 1]
