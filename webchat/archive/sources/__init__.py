"""The programs whose exports can be imported, a module each. Reads no file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, Protocol

from webchat.archive.bounds import Bounds
from webchat.archive.foreign import Conversation
from webchat.archive.sources import (
    ai_studio,
    chatgpt,
    claude,
    claude_code,
    codex,
    copilot,
    deepseek,
    gemini,
    grok,
    hf_chat_ui,
    librechat,
    llama_cpp,
    llm_database,
    llm_json,
    lm_studio,
    mistral,
    open_webui,
    our_markdown,
    plain,
)


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


class FileSource(Protocol):
    """One program's exports that are no JSON. What they have is not trusted."""

    NAME: str
    """What people call the program."""

    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins with this is one of its own."""

    def conversations(self, file: IO[bytes], bounds: Bounds) -> Iterator[Conversation]:
        """The conversations of the file, in order. Raises Unreadable if it is damaged."""


SOURCES: tuple[Source, ...] = (
    *(chatgpt, claude, open_webui, llama_cpp, deepseek, gemini, ai_studio, claude_code, codex, grok),
    *(librechat, hf_chat_ui, lm_studio, llm_json, mistral, plain),
)
FILE_SOURCES: tuple[FileSource, ...] = (llm_database, copilot, our_markdown)


def recognised(value: object) -> Source | None:
    """The source of this value."""
    return next((source for source in SOURCES if source.recognises(value)), None)


def advice(head: bytes) -> str:
    """What to import instead of a page that begins with this; "" if it is of no known program."""
    return gemini.INSTEAD_OF_THE_PAGE if gemini.is_page(head) else ""


def names() -> str:
    """The programs, in words."""
    return ", ".join([*(source.NAME for source in SOURCES), *(source.NAME for source in FILE_SOURCES)])
