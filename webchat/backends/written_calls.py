"""Tells whether a growing text consists of tool calls that a model has written. Knows no answer."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

from webchat.backends.call_marks import NAME, STATES, read

LONGEST_CALLS = 2**16
"""Characters of calls that are held back until the answer's end."""
_LONGEST_NAME = 400
"""Characters of a name or another word with what surrounds it."""
_BETWEEN = r"[ \t\r\n{}\[\]:,0-9+\-.truefalsnE]*+"
"""What JSON has between its strings."""
_STRING = r'"(?:[^"\\\x00-\x1f]|\\.)*+'
_JSON = re.compile(rf'{_BETWEEN}(?:{_STRING}"{_BETWEEN})*+(?P<open>{_STRING}(?P<escape>\\)?)?')
_WITHOUT_NAME = ("[", "<function>")
"""What a name cannot precede: the name comes later."""
_BRACKET = re.compile(r"[\[{]")
_NAME_SO_FAR = re.compile(rf"\s*+|{NAME}\s*+")
_NAME = re.compile(NAME)
_WORD = re.compile(r"\s*+\S*+\s*+")
_AROUND_NAME = re.compile(r"^(?:functions\.|call:)|:\d+$")
"""What Kimi and Gemma write around a tool's name."""


class WrittenCalls:
    """Calls in the formats of `call_marks`, one behind the other.

    A text is appended only as long as the whole can still be calls, which each character decides: so little else
    than a call's arguments is held back, and where the text was cut into chunks makes no difference.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        """The tools that are called."""
        self._said = list[str]()
        self._size = 0
        self._state = "between"
        self._text = list[str]()
        """What was said in this state: a name, another word, or JSON."""
        self._is_named = False
        """Whether the call's name is known before its JSON."""
        self._open = ""
        """The beginning of a string that is open in the JSON, as far as it matters for what follows."""

    @property
    def text(self) -> str:
        """All that was appended."""
        return "".join(self._said)

    def go_on(self, text: str) -> bool:
        """Append a mark, or text without one, unless it makes clear that this is something else."""
        if self._size + len(text) > LONGEST_CALLS or not self._fits(text):
            return False
        self._said.append(text)
        self._size += len(text)
        return True

    def end(self) -> bool:
        """Whether the text is complete; nothing may be appended afterwards."""
        return STATES[self._state].is_end and self._ends_here() and bool(self.names)

    def _fits(self, text: str) -> bool:
        mark, name = read(text)
        if self._open or mark not in STATES[self._state].marks:
            return self._takes(text)
        if not self._ends_here(mark) or (mark == "<function>" and not name):
            return False
        self._enter(mark)
        self.names += [name] if mark == "<function>" else []
        return True

    def _enter(self, mark: str) -> None:
        self._state = STATES[self._state].marks[mark]
        self._text.clear()

    def _takes(self, text: str) -> bool:
        kind = STATES[self._state].text
        if kind == "name":
            return self._takes_name(text)
        if kind == "word":
            return self._takes_word(text)
        return self._takes_json(text) if kind == "json" else kind == "any" or not text.strip()

    def _takes_name(self, text: str) -> bool:
        bracket = _BRACKET.search(text)
        self._text.append(text[: bracket.start()] if bracket else text)
        so_far = "".join(self._text)
        if len(so_far) > _LONGEST_NAME or not _NAME_SO_FAR.fullmatch(so_far):
            return False
        if bracket is None:
            return True
        if bracket[0] not in STATES[self._state].marks or not self._ends_here(bracket[0]):
            return False
        self._enter(bracket[0])
        return self._takes(text[bracket.start() :])

    def _takes_word(self, text: str) -> bool:
        self._text.append(text)
        so_far = "".join(self._text)
        return len(so_far) <= _LONGEST_NAME and bool(_WORD.fullmatch(so_far))

    def _takes_json(self, text: str) -> bool:
        found = _JSON.fullmatch(self._open + text)
        if found:
            self._open = f'"{found["escape"] or ""}' if found["open"] else ""
            self._text.append(text)
        return found is not None

    def _ends_here(self, mark: str = "") -> bool:
        """Whether the text in this state is whole, before a mark or the end. Keeps the names in it."""
        kind, said = STATES[self._state].text, "".join(self._text)
        if kind == "name":
            name = _AROUND_NAME.sub("", said.strip())
            self._is_named = bool(name)
            self.names += [name] if name else []
            return mark == "{" or self._is_named == (mark not in _WITHOUT_NAME)
        if kind == "json" and self._is_named:
            return isinstance(_decoded(said), dict)
        names = _names_in(said) if kind == "json" else []
        self.names += names
        return kind != "json" or bool(names)


def _names_in(text: str) -> list[str]:
    """The names of the tools in the JSON of one or more calls; [] if it is something else."""
    calls = _decoded(text)
    names = [_name_in(call) for call in (calls if isinstance(calls, list) else [calls])]
    return names if all(names) else []


def _name_in(call: Any) -> str:  # noqa: ANN401
    """The name of the tool in a call; "" if it is not a call."""
    if not isinstance(call, dict):
        return ""
    name, arguments = call.get("name"), call.get("arguments", call.get("parameters"))
    arguments = _decoded(arguments) if isinstance(arguments, str) else arguments
    return name if isinstance(name, str) and _NAME.fullmatch(name) and isinstance(arguments, dict) else ""


def _decoded(text: str) -> Any:  # noqa: ANN401
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None
