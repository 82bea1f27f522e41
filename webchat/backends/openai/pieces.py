"""Converts the events of a chat completion into pieces. Knows no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from webchat.backends import Event, Piece

THINK_BEGINS, THINK_ENDS = "<think>", "</think>"
NOTES = {
    "length": "The answer was cut off: the model's length limit was reached.",
    "content_filter": "The answer was cut off: the model server's content filter stopped it.",
}


class Malformed(Exception):
    """What the server sent has not the shape of a chat completion."""


class AnswerReader:
    """Turns the objects of one answer, streamed or whole, into pieces. Each method raises Malformed.

    The shapes are those of OpenAI's chat completions; `reasoning_content` is DeepSeek's, llama.cpp's and vLLM's name
    for what OpenRouter and Ollama call `reasoning`; `prompt_progress` is llama.cpp's.
    """

    def __init__(self) -> None:
        self.finish_reason = ""
        self._usage: Mapping[str, Any] = {}
        self._thinking = ThinkSplitter()

    def read(self, chunk: Any) -> Iterator[Piece]:  # noqa: ANN401
        """The pieces of one `chat.completion.chunk`, or of a whole `chat.completion`."""
        if not isinstance(chunk, dict):
            raise Malformed("chunk")
        # Most chunks are a token and nothing else: what a chunk does not have costs nothing.
        if usage := chunk.get("usage"):
            self._usage = _mapping(usage)
        if progress := chunk.get("prompt_progress"):
            yield from _progress(_mapping(progress))
        choices = chunk.get("choices") or []
        if not isinstance(choices, list):
            raise Malformed("choices")
        for choice in map(_mapping, choices[:1]):
            if reason := choice.get("finish_reason"):
                self.finish_reason = _text(reason)
            yield from self._said(_mapping(choice.get("delta") or choice.get("message")))

    def held_back(self) -> Iterator[Piece]:
        """What looked like the beginning of a tag and was none."""
        yield from self._thinking.flush()

    def end(self) -> Iterator[Piece]:
        """What is known when the answer has ended: the rest, the tokens, and why it ended."""
        yield from self.held_back()
        if self._usage:
            yield Event("usage", data=dict(self._usage))
        if self.finish_reason in NOTES:
            yield Event("note", NOTES[self.finish_reason])
        if self.finish_reason:
            yield Event("finish", self.finish_reason)

    def _said(self, delta: Mapping[str, Any]) -> Iterator[Piece]:
        if reasoning := delta.get("reasoning_content") or delta.get("reasoning"):
            yield Event("reasoning", _text(reasoning))
        if content := delta.get("content"):
            yield from self._thinking.split(_text(content))


class ThinkSplitter:
    """Tells the reasoning that some models put in <think> tags before their answer from the answer itself."""

    def __init__(self) -> None:
        self._state = "beginning"
        self._held = ""

    def split(self, content: str) -> Iterator[Piece]:
        """The pieces in the next bit of content; a tag may be split over several bits."""
        if self._state == "answering":
            yield content
            return
        self._held += content
        if self._state == "beginning":
            self._begin()
        self._skip_space("opened", "thinking")
        if self._state == "thinking":
            yield from self._think()
        self._skip_space("closed", "answering")
        if self._state == "answering":
            yield from self.flush()

    def flush(self) -> Iterator[Piece]:
        held, self._held = self._held, ""
        if held:
            yield Event("reasoning", held) if self._state == "thinking" else held

    def _begin(self) -> None:
        start = self._held.lstrip()
        if start.startswith(THINK_BEGINS):
            self._state, self._held = "opened", start.removeprefix(THINK_BEGINS)
        elif not THINK_BEGINS.startswith(start):
            self._state = "answering"

    def _skip_space(self, state: str, next_state: str) -> None:
        if self._state == state:
            self._held = self._held.lstrip()
            self._state = next_state if self._held else state

    def _think(self) -> Iterator[Piece]:
        thought, tag, rest = self._held.partition(THINK_ENDS)
        if tag:
            self._state, self._held = "closed", rest
        else:
            safe = len(thought) - _overlap(thought, THINK_ENDS)
            thought, self._held = thought[:safe], thought[safe:]
        if thought:
            yield Event("reasoning", thought)


def _overlap(text: str, tag: str) -> int:
    """How many characters at the end of `text` could be the beginning of `tag`."""
    return next((size for size in range(len(tag) - 1, 0, -1) if text.endswith(tag[:size])), 0)


def _progress(progress: Mapping[str, Any]) -> Iterator[Event]:
    """llama.cpp counts the tokens it still knows (`cache`) as processed; what is left to do is the rest."""
    total, cache, processed = (progress.get(name) or 0 for name in ("total", "cache", "processed"))
    if not all(isinstance(number, (int, float)) for number in (total, cache, processed)):
        raise Malformed("prompt_progress")
    if total > cache:
        done = min(max((processed - cache) / (total - cache), 0.0), 1.0)
        yield Event("status", "Reading the conversation", progress=done)


def _mapping(value: Any) -> Mapping[str, Any]:  # noqa: ANN401
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(type(value).__name__)
    return value


def _text(value: Any) -> str:  # noqa: ANN401
    """JSON can name half a code point, which no file can hold."""
    if not isinstance(value, str):
        raise Malformed(type(value).__name__)
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value
