"""What Grok writes between tags in its answers: cards, which become links, and artifacts, which become files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from webchat.archive.attributes import attributes_of
from webchat.archive.file_names import named
from webchat.archive.foreign import link
from webchat.archive.lenient import Table, first_text, rows, table, text
from webchat.chat.message import File

_CARD, _ARTIFACT = "grok:render", "xaiArtifact"
Attributes = Mapping[str, str]


def read(said: str, response: Table) -> tuple[str, tuple[File, ...]]:
    """The text with links in place of its cards, and its artifacts."""
    files: list[File] = []
    said = _replaced(said, _ARTIFACT, partial(_take, files))
    said = _replaced(said, _CARD, partial(_linked, _links(response)))
    return said, tuple(files)


def _replaced(said: str, tag: str, replacement: Callable[[Attributes, str], str]) -> str:
    """The text with each element of this name replaced; one that is not closed stays, and what follows it."""
    pieces, place = [], 0
    for start, head, end in _elements(said, tag):
        pieces += [said[place:start], replacement(attributes_of(said[start:head]), said[head + 1 : end])]
        place = end + len(f"</{tag}>")
    return "".join((*pieces, said[place:]))


def _elements(said: str, tag: str) -> Iterator[tuple[int, int, int]]:
    """Where each element begins, where its opening tag ends, and where its closing tag begins."""
    place = 0
    while (start := said.find(f"<{tag}", place)) >= 0:
        head = said.find(">", start)
        end = said.find(f"</{tag}>", head)
        if head < 0 or end < 0:
            return
        yield start, head, end
        place = end


def _take(files: list[File], attributes: Attributes, inside: str) -> str:
    content = inside.removeprefix("\n")
    if content.strip():
        kind = attributes.get("contentType", "")
        files.append(File(named(attributes.get("title") or "artifact", kind.removeprefix("text/")), content))
    return ""


def _linked(links: Mapping[str, str], attributes: Attributes, inside: str) -> str:
    linked = links.get(attributes.get("card_id", ""))
    return f" ({linked})" if linked else ""


def _links(response: Table) -> dict[str, str]:
    """The links of an answer's cards, by the cards' ids. Each card is JSON in a string."""
    found = rows(response.get("web_search_results")) + rows(response.get("cited_web_search_results"))
    titles = {text(row.get("url")): text(row.get("title")) for row in found}
    cards = response.get("card_attachments_json")
    links = {}
    for card in map(_parsed, cards if isinstance(cards, list) else ()):
        url = first_text(card, "url") or first_text(table(card.get("image")), "link")
        if url:
            title = titles.get(url) or first_text(card, "title") or first_text(table(card.get("image")), "title")
            links[text(card.get("id"))] = link(title, url)
    return links


def _parsed(card: object) -> Table:
    try:
        return table(json.loads(text(card)))
    except (ValueError, RecursionError):
        return table(None)
