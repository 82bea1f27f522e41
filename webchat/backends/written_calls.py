"""A tool call that a model writes into its text, in any of the usual formats: whether it is one, and of which tools."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

from webchat.backends.tags import CALLS

LONGEST_CALL = 2**16
"""Characters of a call that are kept; the rest is dropped."""
LOOKED_AT = 200
"""Characters at its beginning that tell whether it may be one."""
_MAY_BE = re.compile(r"\s*(?:\Z|[\[{<`]|(?:call:)?[A-Za-z_][\w.:-]{0,63}[ \t]*(?:\Z|[(\[{<\n]))")
_FIRST_NAME = re.compile(r'"(?:tool_)?name"\s*:\s*"([\w.:/-]{1,200})"')
_NAMED = re.compile(
    r'<function=([\w.:-]{1,64})>|<invoke name="([\w.:-]{1,64})"'
    r"|<\|tool_call_begin\|>\s*(?:functions\.)?([\w.-]{1,64})"
    r"|<｜tool▁call▁begin｜>(?:function<｜tool▁sep｜>)?([\w.-]{1,64})"
)
_NAME_FIRST = re.compile(r"\s*\[?(?:call:)?([A-Za-z_][\w.-]{0,63})[ \t]*(?:[({\n]|\[ARGS\]|<arg_key>)")


class WrittenCall:
    """A text since the tag that opens a call."""

    def __init__(self, tag: str) -> None:
        self._closing = "</function>" if tag.startswith("<function=") else CALLS[tag]
        self._said, self._size, self._head = [tag], len(tag), ""

    @staticmethod
    def opens(tag: str) -> bool:
        """Whether a call begins with this tag; closing ones are of the same kind."""
        return tag in CALLS or tag.startswith("<function=")

    def add(self, text: str) -> None:
        self._head = (self._head + text[:LOOKED_AT])[:LOOKED_AT]
        if self._size <= LONGEST_CALL:
            self._said.append(text)
            self._size += len(text)

    def is_closed_by(self, tag: str) -> bool:
        return tag != "" and tag == self._closing

    @property
    def text(self) -> str:
        """All of it, with its tag."""
        return "".join(self._said)

    @property
    def may_be_one(self) -> bool:
        """Whether the text so far can still be a call, as far as its beginning tells: prose about a tag is none."""
        return self._is_function or bool(_MAY_BE.match(self._head))

    @property
    def names(self) -> list[str]:
        """The names of the tools; none if this is no call."""
        body = self._body
        if names := _names_in_json(body):
            return names
        said = self.text if self._is_function else body
        if names := ["".join(found) for found in _NAMED.findall(said)]:
            return names
        found = _FIRST_NAME.search(body) or _NAME_FIRST.match(body)
        return [found[1]] if found else []

    @property
    def _is_function(self) -> bool:
        return self._said[0].startswith("<function=")

    @property
    def _body(self) -> str:
        return "".join(self._said[1:]).removesuffix(self._closing)


def _names_in_json(text: str) -> list[str]:
    """The names in one call or a list of calls."""
    found: Any = None
    with suppress(ValueError, RecursionError):
        found = json.loads(text)
    calls = found if isinstance(found, list) else [found]
    return [name for call in calls if isinstance(call, dict) and isinstance(name := _name_of(call), str) and name]


def _name_of(call: dict[str, Any]) -> Any:  # noqa: ANN401
    inner = call.get("function")
    return inner.get("name") if isinstance(inner, dict) else call.get("name") or call.get("tool_name") or inner
