"""Finds the title of a conversation whose JSON cannot be parsed, in its beginning."""

from __future__ import annotations

import json
import re

LONGEST_BEGINNING = 16 * 1024
"""Bytes in which a title is looked for: programs write it before the messages."""
DEEPEST_TITLE = 2
"""How deep a title may be: some programs have it in an object of its own, beside the messages.
One that is not as deep is preferred: the other could be of something else."""
_TOKEN = re.compile(rb'"[^"]*"|[{}\[\]:,]|[^\s"{}\[\]:,]+')


def title_in(element: bytes | bytearray) -> str:
    """The title near the beginning of this JSON object; "" if there is none."""
    beginning = bytes(element[:LONGEST_BEGINNING])
    # Of the same length, but each quotation mark begins or ends a string.
    plain = beginning.replace(rb"\\", b"..").replace(rb"\"", b"..")
    depth, before, key, further_in = 0, b"", b"", ""
    for token in _TOKEN.finditer(plain):
        mark = token[0]
        depth += (mark in b"{[") - (mark in b"}]")
        if mark == b":":
            key = before
        elif before == b":" and mark.startswith(b'"') and _is_title(key, depth):
            title = _parsed(beginning[token.start() : token.end()])
            if depth == 1:
                return title
            further_in = further_in or title
        before = mark
    return further_in


def _is_title(key: bytes, depth: int) -> bool:
    """Whether the value of this key may be the title. Further in, a name is that of a file or tool."""
    return (key == b'"title"' and depth <= DEEPEST_TITLE) or (key == b'"name"' and depth == 1)


def _parsed(text: bytes) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return ""
