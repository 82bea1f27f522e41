"""Extracts the title from a model's answer to a request for one. Knows no session and no model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from webchat.backends.reasoning import without_reasoning
from webchat.chat.texts import DEFAULT_DESCRIPTION, title_of

LONGEST = 2_000
"""Characters of an answer that are searched for a title."""
_LABELS = (
    "title|titel|titre|título|titulo|titolo|tytuł|název|otsikko|rubrik|başlık|τίτλος|заголовок|название|العنوان|عنوان|"
    "标题|標題|题目|題目|タイトル|題名|제목"
)
_LABEL = re.compile(
    rf"([*_]{{0,2}})(?:(?:suggested|chat|session|conversation|short) )?(?:{_LABELS})(?:\1)?\s*[:：](?:\1)?\s*", re.I
)
_LEAD_IN = re.compile(
    r"(?:(?:sure|certainly|of course|okay|ok)\b[^:：\n]{0,20}[!,.:]\s*)?here(?:'s|’s| is)\b[^:：\n]{0,80}[:：]\s*",
    re.I,
)
_HEADING = re.compile(r"#{1,6}\s+(.*?)(?:\s+#+)?")
_BULLET = re.compile(r"^[-*•]\s+")
_NAMES = ("title", "name", "session_title", "conversation_title", "topic")
_SENTENCE = re.compile(rf"[^:：\n]{{0,60}}(?:{_LABELS})[^:：\n]{{0,40}}?(?:\s*[:：]|\b(?:is|be)\b:?)\s*", re.I)
"""The beginning of a sentence that introduces a title, which has marks around it."""
_TAGGED = re.compile(r"<(\w[\w-]*)(?:\s[^<>]*)?>\s*((?:(?!</?\1\b).)+?)\s*(?:</\1\s*>)", re.S)
_BEGUN = re.compile(rf"<({'|'.join(_NAMES)})>([^<>\s][^<>]*)")
_DECODER = json.JSONDecoder()
_FENCE = re.compile(r"`{3,}+|~{3,}+")
_TITLE = re.compile(rf'"(?:{"|".join(_NAMES)})"\s*:\s*"(?:[^"\\]|\\.)*"')
_MARKS = (
    *(("**", "**"), ("__", "__"), ("*", "*"), ("_", "_"), ("`", "`"), ('"', '"'), ("'", "'")),
    *(("“", "”"), ("„", "“"), ("„", "”"), ("‘", "’"), ("«", "»"), ("»", "«"), ("「", "」"), ("『", "』"), ("《", "》")),
)
_MORE_BEFORE = ("`", "~", "{", "[", "<")
"""The beginnings of first lines that may not be a title."""


def cleaned(text: str) -> str:
    """The title in a model's answer, in one line; "" for none.

    Lead-ins, labels, JSON, tags, and marks on both sides are removed. Characters of the title itself stay: "Learning
    C#", ".NET Basics", "__init__ in Python".
    """
    found = _unpacked(without_reasoning(text).strip()[:LONGEST])
    lines = [line.strip() for line in found.splitlines() if line.strip()]
    while len(lines) > 1 and lines[0].rstrip("*_ ").endswith((":", "：")):
        del lines[0]
    found = _unpacked("\n".join(lines))
    title = title_of(_bare(_unpacked(_bare(found.partition("\n")[0]))))
    return "" if title == DEFAULT_DESCRIPTION else title


def is_whole(text: str) -> bool:
    """Whether the text so far contains a complete title."""
    first, newline, _ = text.lstrip().partition("\n")
    return bool(newline) and not first.startswith(_MORE_BEFORE) and not first.rstrip("*_ ").endswith((":", "："))


def _unpacked(text: str) -> str:
    """The text inside a fence, JSON or tags."""
    text = _unfenced(text)
    if text.startswith(("{", "[")):
        text = _named_in(_decoded(text)) or text
    while tagged := _TAGGED.fullmatch(text) or _BEGUN.fullmatch(text):
        text = tagged[2].strip()
    return text


def _unfenced(text: str) -> str:
    mark = _FENCE.match(text)
    _, newline, inner = text.partition("\n")
    if mark is None or not newline:
        return text
    inner = inner.strip()
    return inner.removesuffix(mark[0]).rstrip() if inner.endswith(f"\n{mark[0]}") else inner


def _decoded(text: str) -> Any:  # noqa: ANN401
    """The JSON at the beginning of the text, also of an object that was cut off.

    If words follow on the same line, it counts only if it has a field for a title.
    """
    for json_text in (text, *(() if "}" in text else _completed(text))):
        with suppress(ValueError, RecursionError):
            found, end = _DECODER.raw_decode(json_text)
            has_title = isinstance(found, dict) and not found.keys().isdisjoint(_NAMES)
            if has_title or not json_text[end:].partition("\n")[0].strip():
                return found
    return None


def _completed(text: str) -> Iterator[str]:
    """What a JSON object that was cut off may have been: to the end, to its last comma, or only its title."""
    yield f'{text}"}}'
    yield f"{text}}}"
    yield f"{text.rpartition(',')[0]}}}"
    if title := _TITLE.search(text):
        yield f"{{{title[0]}}}"


def _named_in(found: Any) -> str:  # noqa: ANN401
    """The title in a model's JSON, "" for none."""
    if isinstance(found, list):
        found = next((one for one in found if isinstance(one, str | dict)), "")
    if isinstance(found, dict):
        named = [found[name] for name in (*_NAMES, *found) if isinstance(found.get(name), str)]
        found = named[0] if named else ""
    return found.strip() if isinstance(found, str) else ""


def _bare(line: str) -> str:
    """The line without the text around its title."""
    while True:
        before, line = line, _BULLET.sub("", _without_label(_unmarked(line.strip())), count=1)
        heading = _HEADING.fullmatch(line)
        line = _unmarked(heading[1] if heading else line)
        if line.endswith((".", "。")) and not line.endswith(".."):
            line = line[:-1].rstrip()
        if line == before:
            return line


def _without_label(line: str) -> str:
    for label in (_LEAD_IN, _LABEL):
        found = label.match(line)
        if found and found.end() < len(line):
            line = line[found.end() :]
    sentence = _SENTENCE.match(line)
    quoted = line[sentence.end() :].rstrip(".。") if sentence else ""
    return quoted if _unmarked(quoted) != quoted else line


def _unmarked(line: str) -> str:
    """The line without marks that enclose all of it."""
    for begin, end in _MARKS:
        inner = line[len(begin) : -len(end)]
        is_around = line.startswith(begin) and line.endswith(end) and len(line) >= len(begin) + len(end)
        is_name = begin.startswith("_") and " " not in inner  # as __init__
        if is_around and not is_name and begin not in inner and end not in inner:
            return inner.strip()
    return line
