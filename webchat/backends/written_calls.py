"""Tells whether a growing text consists of tool calls that a model has written. Knows no answer."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

from webchat.backends.tags import BEGIN_OF_CALL, END_OF_CALL

LONGEST_CALLS = 2**16
"""Characters of calls that are held back until the answer's end."""
_BETWEEN = r"[ \t\r\n{}\[\]:,0-9+\-.truefalsnE]*+"
"""What JSON has between its strings."""
_STRING = r'"(?:[^"\\\x00-\x1f]|\\.)*+'
_JSON = re.compile(rf'{_BETWEEN}(?:{_STRING}"{_BETWEEN})*+(?P<open>{_STRING}(?P<escape>\\)?)?')
_NAME = re.compile(r"[^\W\d][\w./:-]{0,199}")


class WrittenCalls:
    """Calls in the format of Hermes and Qwen: JSON with a name and arguments, each call between two tags.

    A text is appended only as long as the whole can still be calls, which each character decides: so little else is
    ever held back, and where the text was cut into chunks makes no difference.
    """

    def __init__(self, tag: str) -> None:
        """`tag` opens the first call; it ends with the brace that begins the JSON."""
        self.names: list[str] = []
        """The tools that the complete calls name."""
        self._said, self._size = [tag], len(tag)
        self._json = ["{"]
        """The last call's JSON; empty after its end."""
        self._open = ""
        """The beginning of a string that is open in it, as far as it matters for what follows."""

    @property
    def text(self) -> str:
        """All that was appended."""
        return "".join(self._said)

    @property
    def are_complete(self) -> bool:
        return not self._json

    def go_on(self, text: str) -> bool:
        """Append a tag, or text without one, unless it makes clear that this is something else."""
        if self._size + len(text) > LONGEST_CALLS or not self._fits(text):
            return False
        self._said.append(text)
        self._size += len(text)
        return True

    def _fits(self, text: str) -> bool:
        if not self.are_complete:
            return self._end() if text == END_OF_CALL and not self._open else self._goes_on_as_json(text)
        if BEGIN_OF_CALL.fullmatch(text):
            self._json = ["{"]
            return True
        return not text.strip()

    def _goes_on_as_json(self, text: str) -> bool:
        found = _JSON.fullmatch(self._open + text)
        if found:
            self._open = f'"{found["escape"] or ""}' if found["open"] else ""
            self._json.append(text)
        return found is not None

    def _end(self) -> bool:
        name = _name_in("".join(self._json))
        self.names += [name] if name else []
        self._json.clear()
        return name != ""


def _name_in(text: str) -> str:
    """The name of the tool in a call's JSON; "" if it is not a call."""
    call = _decoded(text)
    if not isinstance(call, dict):
        return ""
    name, arguments = call.get("name"), call.get("arguments")
    arguments = _decoded(arguments) if isinstance(arguments, str) else arguments
    return name if isinstance(name, str) and _NAME.fullmatch(name) and isinstance(arguments, dict) else ""


def _decoded(text: str) -> Any:  # noqa: ANN401
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None
