"""The marks of tool calls that models write into their text, and the order in which they come. Knows no answer."""

from __future__ import annotations

import re
from itertools import product
from typing import NamedTuple

NAME = r"[^\W\d][\w./:-]{0,199}"
_DIALECTS = ("minimax:", "seed:", "｜DSML｜", "")
_MEANING = {
    **{name: name for name in ("tool_call", "function", "parameter", "arg_key", "arg_value")},
    **{"tool_calls": "tool_call", "function_calls": "tool_call", "invoke": "function"},
}
_TAGS = [f"<{end}{dialect}{name}>" for end, dialect, name in product(("", "/"), _DIALECTS, _MEANING)]
_BEGINS_NAMED = rf"<(?:{'|'.join(_DIALECTS)})(?:function=|invoke name=\"|parameter(?:=| name=\"))"
_NAMED = rf'{_BEGINS_NAMED}{NAME}(?:"(?: string="(?:true|false)")?)?>'
"""A tag with the name of a tool or argument, as Qwen's coders, Nemotron, Seed, MiniMax and DeepSeek write it."""
_SECTION = {
    # Kimi's and DeepSeek's; those of Mistral, Llama and Gemma are below.
    **dict.fromkeys(("<|tool_calls_section_begin|>", "<｜tool▁calls▁begin｜>"), "section"),
    **dict.fromkeys(("<|tool_calls_section_end|>", "<｜tool▁calls▁end｜>"), "/section"),
    **dict.fromkeys(("<|tool_call_begin|>", "<｜tool▁call▁begin｜>"), "name"),
    **dict.fromkeys(("<|tool_call_argument_begin|>", "<｜tool▁sep｜>"), "arguments"),
    **dict.fromkeys(("<|tool_call_end|>", "<｜tool▁call▁end｜>"), "/arguments"),
}
_SINGLE = ("[TOOL_CALLS]", "[CALL_ID]", "[ARGS]", "<|python_tag|>", "<|tool_call>", "<tool_call|>")
WHOLE = (*_TAGS, *_SECTION, *_SINGLE)
"""The marks that contain no name."""
_ANY_TAG = rf"</?(?:{'|'.join(_DIALECTS)})(?:{'|'.join(_MEANING)})>"
MARK = "|".join((_ANY_TAG, _NAMED, *map(re.escape, (*_SECTION, *_SINGLE))))
_MARK = re.compile(MARK)
_TAG = re.compile(rf"<(/?)(?:{'|'.join(_DIALECTS)})(\w+)(?:(?:=| name=\")({NAME}))?")
SO_FAR = rf"{_BEGINS_NAMED}[^<>]{{0,220}}|<(?:{'|'.join(_DIALECTS)})(?:invoke|parameter) (?:n(?:a(?:me?)?)?)?=?"
"""The beginning of a mark that contains a name."""
SPECIAL = frozenset((*_SECTION, *_SINGLE))
"""Marks that models write as tokens of their own, right behind the text before them."""


def read(mark: str) -> tuple[str, str]:
    """What a mark is called in `STATES`, and the name in it; "" for none, and twice if this is no mark."""
    if not _MARK.fullmatch(mark):
        return "", ""
    tag = None if mark in SPECIAL else _TAG.match(mark)
    return (f"<{tag[1]}{_MEANING[tag[2]]}>", tag[3] or "") if tag else (_SECTION.get(mark, mark), "")


class State(NamedTuple):
    """What may come next in calls: text of this kind, or these marks, each of which leads to another state."""

    text: str = "none"
    marks: dict[str, str] = {}  # noqa: RUF012
    is_end: bool = False
    """Whether the calls may end here."""


_FIRST = {
    "<tool_call>": "call",
    "<function>": "function",
    "section": "section",
    "[TOOL_CALLS]": "mistral",
    "<|python_tag|>": "llama",
    "<|tool_call>": "gemma",
}
STATES = {
    "between": State(marks=_FIRST, is_end=True),
    "call": State("name", {"{": "object", "<function>": "function", "<arg_key>": "key"}),
    "object": State("json", {"</tool_call>": "between"}),
    "function": State(marks={"<parameter>": "parameter", "</function>": "called"}),
    "parameter": State("any", {"</parameter>": "function"}),
    "called": State(marks={**_FIRST, "</tool_call>": "between"}, is_end=True),
    "key": State("word", {"</arg_key>": "value"}),
    "value": State(marks={"<arg_value>": "argument"}),
    "argument": State("any", {"</arg_value>": "arguments"}),
    "arguments": State(marks={"<arg_key>": "key", "</tool_call>": "between"}),
    "section": State(marks={"name": "name", "/section": "between"}),
    "name": State("name", {"arguments": "section object"}),
    "section object": State("json", {"/arguments": "section"}),
    "mistral": State("name", {"[": "last", "{": "last", "[ARGS]": "last", "[CALL_ID]": "id"}),
    "id": State("word", {"[ARGS]": "last"}),
    "last": State("json", {"[TOOL_CALLS]": "mistral"}, is_end=True),
    "llama": State("name", {"{": "last"}),
    "gemma": State("name", {"{": "braces"}),
    "braces": State("any", {"<tool_call|>": "between"}),
}
