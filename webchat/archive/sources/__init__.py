"""The programs whose exports can be imported, one module each. Reads no file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, Protocol

from webchat.archive.asset_names import NamesIn
from webchat.archive.bounds import Bounds
from webchat.archive.foreign import Conversation
from webchat.archive.lenient import Table
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


class _JsonSource(Protocol):
    """One program's exports, as the JSON values of a file: the elements of its list, its lines, or its single value.

    Values are untrusted: one of the wrong type counts as missing.
    """

    NAME: str
    """What people call the program."""
    SPANS_FILE: bool
    """Whether everything after one of its values in a file belongs to it, recognised or not."""

    def recognises(self, value: Any) -> bool:  # noqa: ANN401
        """Whether this is one of its values, judged by the keys."""


class SingleSource(_JsonSource, Protocol):
    """One whose values are a conversation each."""

    def conversation(self, item: Table) -> Conversation:
        """The conversation of a value, which it has recognised."""


class NamingSource(_JsonSource, Protocol):
    """The same, with a file in its exports that has the original names of their assets."""

    def conversation_with(self, item: Table, names: NamesIn) -> Conversation:
        """The conversation of a value, which it has recognised."""


class GroupingSource(_JsonSource, Protocol):
    """One whose conversations may have several values."""

    def conversations(self, values: Iterator[Any]) -> Iterator[Conversation]:
        """The conversations of these values, which it has recognised, in order."""


Source = SingleSource | NamingSource | GroupingSource


class FileSource(Protocol):
    """One program's exports that are not JSON. They are untrusted."""

    NAME: str
    """What people call the program."""

    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins like this is one of its own."""

    def conversations(self, file: IO[bytes], bounds: Bounds) -> Iterator[Conversation]:
        """The conversations of the file, in order. Raises Unreadable if it is damaged."""


SOURCES: tuple[Source, ...] = (
    *(chatgpt, claude, open_webui, llama_cpp, deepseek, gemini, ai_studio, claude_code, codex, grok),
    *(librechat, hf_chat_ui, lm_studio, llm_json, mistral, plain),
)
FILE_SOURCES: tuple[FileSource, ...] = (llm_database, copilot, our_markdown)


def recognised(value: object) -> Source | None:
    """The source that recognises this value."""
    return next((source for source in SOURCES if source.recognises(value)), None)


def conversations(source: Source, values: Iterator[Any], names: NamesIn) -> Iterator[Conversation]:
    """The conversations of these values, which the source has recognised, in order."""
    if hasattr(source, "conversation_with"):
        return (source.conversation_with(value, names) for value in values)
    return map(source.conversation, values) if hasattr(source, "conversation") else source.conversations(values)


def advice(head: bytes) -> str:
    """What to import instead of an HTML page that begins like this; "" if it is unknown."""
    return gemini.INSTEAD_OF_THE_PAGE if gemini.is_page(head) else ""


def names() -> str:
    """The programs' names in words."""
    return ", ".join([*(source.NAME for source in SOURCES), *(source.NAME for source in FILE_SOURCES)])
