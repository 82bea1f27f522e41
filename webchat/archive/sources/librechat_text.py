"""What LibreChat writes between marks in its answers: artifacts, which become files, and citations, which become links.

An artifact stands between ":::" lines, a citation after U+E202; what was found by searching is beside the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from webchat.archive.attributes import attributes_of
from webchat.archive.contained import Fences
from webchat.archive.file_names import named
from webchat.archive.foreign import link
from webchat.archive.lenient import Table, first_text, rows, table
from webchat.chat.message import File
from webchat.chat.parts import Part, Text

_BEGIN = re.compile(r" {0,3}:::artifact\{.*\}\s*")
_END = ":::"
_FENCE = ("```", "~~~")
_CITATION = re.compile(r" ?(?:\\ue202|" + "\ue202" + r")(turn\d{1,4}[a-z]{1,10}\d{1,4})")
_LEFT = re.compile(r"[" + "\ue200-\ue206" + r"]|\\ue20[0-6]")
_LISTS = {"search": "organic", "news": "topStories", "ref": "references"}
"""Where the pages of each kind of citation are."""


def read(parts: Iterable[Part], message: Table) -> tuple[tuple[Part, ...], tuple[File, ...]]:
    """The parts of an answer with links in place of citations and without artifacts, and these."""
    links, kept, files = dict(_links(message)), list[Part](), list[File]()
    for part in parts:
        if isinstance(part, Text):
            said, found = _without_artifacts(part.text)
            files += found
            part = Text(_with_links(said, links))
            if not part.text.strip():
                continue
        kept.append(part)
    return tuple(kept), tuple(files)


def _without_artifacts(said: str) -> tuple[str, list[File]]:
    """The text without its artifacts, and these; one that does not end stays text."""
    if ":::artifact{" not in said:
        return said, []
    kept, files, begun, fences = list[str](), list[File](), list[str](), Fences()
    for line in said.split("\n"):
        is_code = fences.is_code(line)
        if begun:
            begun.append(line)
            if not is_code and line.strip() == _END:
                files += _files(begun)
                begun = []
        elif not is_code and _BEGIN.fullmatch(line):
            begun = [line]
        else:
            kept.append(line)
    return "\n".join((*kept, *begun)), files


def _files(lines: list[str]) -> list[File]:
    """The artifact of these lines, without the fence around it."""
    attributes = attributes_of(lines[0])
    inside = "\n".join(lines[1:-1]).strip("\n").split("\n")
    if len(inside) > 1 and inside[0].startswith(_FENCE) and inside[-1].startswith(_FENCE):
        inside = inside[1:-1]
    content = "\n".join(inside)
    title = attributes.get("title") or attributes.get("identifier") or "artifact"
    return [File(named(title, attributes.get("type", "")), f"{content}\n")] if content.strip() else []


def _with_links(said: str, links: Mapping[str, str]) -> str:
    if "ue202" not in said and "\ue202" not in said:
        return said
    linked = _CITATION.sub(lambda mark: f" ({links[mark[1]]})" if mark[1] in links else "", said)
    return _LEFT.sub("", linked)


def _links(message: Table) -> Iterator[tuple[str, str]]:
    """Each page that was found for this answer, as it is cited: "turn0search3"."""
    for attachment in rows(message.get("attachments")):
        found = table(attachment.get("web_search"))
        for kind, name in _LISTS.items():
            for number, page in enumerate(rows(found.get(name))):
                if url := first_text(page, "link", "url"):
                    yield f"turn{found.get('turn') or 0}{kind}{number}", link(first_text(page, "title"), url)
