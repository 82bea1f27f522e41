"""Compares two exports of one message: whether they say the same, and which shows more. Knows no storage."""

from __future__ import annotations

from collections.abc import Collection

from webchat.chat.message import Message
from webchat.chat.parts import Part, Picture, Reasoning, Text, ToolCall


def shows_more(before: Message, after: Message) -> bool:
    """Whether the later one has all pictures and files of the earlier one, and more."""
    had, has = _pictures(before), _pictures(after)
    has_all = had <= has and after.files[: len(before.files)] == before.files
    return has_all and (had < has or len(before.files) < len(after.files))


def shows_less(before: Message, after: Message) -> bool:
    """Whether the later one lacks pictures of the earlier one."""
    return not _pictures(before) <= _pictures(after)


def says_the_same(before: Message, after: Message, lines: Collection[str]) -> bool:
    """Whether they say the same, apart from placeholder lines of pictures; an answer may have grown."""
    if before.role != "assistant":
        return same_words(before, after, lines)
    had, has = _words(before.content, lines), _words(after.content, lines)
    steps, more = _steps(before), _steps(after)
    return has.startswith(had) and after.reasoning.startswith(before.reasoning) and more[: len(steps)] == steps


def same_words(before: Message, after: Message, lines: Collection[str]) -> bool:
    """Whether their texts are the same, apart from placeholder lines of pictures."""
    return _words(before.content, lines) == _words(after.content, lines)


def are_one_message(before: Message, after: Message, lines: Collection[str]) -> bool:
    """Whether they have the same role, words and tool calls, and pictures of which only some may be missing in one."""
    had, has = _pictures(before), _pictures(after)
    is_same = before.role == after.role and same_words(before, after, lines) and (had <= has or has <= had)
    return is_same and _called(before) == _called(after)


def says_more(before: Message, after: Message, lines: Collection[str]) -> bool:
    """Whether an answer that says the same has grown, apart from placeholder lines of pictures."""
    return len(_words(after.content, lines)) > len(_words(before.content, lines))


def _pictures(message: Message) -> set[str]:
    """The keys of sent pictures, and the base64 of those in an answer."""
    sent = {picture.key for picture in message.pictures}
    calls = (part for part in message.parts if isinstance(part, ToolCall))
    return sent | {block.data for call in calls for block in call.output if isinstance(block, Picture)}


def _words(text: str, lines: Collection[str]) -> str:
    if lines:  # each of these is a paragraph; there may be very many
        left_out = {part.strip() for line in lines for part in line.splitlines()}
        text = "\n".join(line for line in text.splitlines() if line.strip() not in left_out)
    return " ".join(text.split())


def _steps(message: Message) -> list[Part]:
    """The parts of an answer that are neither text nor a picture."""
    return [part for part in message.ordered if not isinstance(part, Text | Reasoning) and not _is_drawn(part)]


def _called(message: Message) -> list[tuple[str, str]]:
    """The names and inputs of an answer's tool calls."""
    return [(step.title, step.input) for step in _steps(message) if isinstance(step, ToolCall)]


def _is_drawn(part: Part) -> bool:
    return isinstance(part, ToolCall) and any(isinstance(block, Picture) for block in part.output)
