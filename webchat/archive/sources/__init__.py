"""The programs whose exports can be imported, a module each. Reads no file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from webchat.archive.foreign import Conversation
from webchat.archive.sources import chatgpt, claude, open_webui


class Source(Protocol):
    """One program's exports, as the JSON values of a file: the elements of its list, its lines, or itself.

    What a value has is not trusted: what has the wrong type counts as not there.
    """

    NAME: str
    """What people call the program."""
    SPANS_FILE: bool
    """Whether all that follows one of its values in a file belongs to it, known or not."""

    def recognises(self, value: Any) -> bool:  # noqa: ANN401
        """Whether this is one of its values, by its keys."""

    def conversations(self, values: Iterator[Any]) -> Iterator[Conversation]:
        """The conversations of these values, which it recognises, in order."""


SOURCES: tuple[Source, ...] = (chatgpt, claude, open_webui)


def recognised(value: object) -> Source | None:
    """The source of this value."""
    return next((source for source in SOURCES if source.recognises(value)), None)


def names() -> str:
    """The programs, in words."""
    return ", ".join(source.NAME for source in SOURCES)
