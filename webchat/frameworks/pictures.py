"""Formats messages with pictures for the frameworks. Imports no framework."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webchat.backends import HistoryItem
from webchat.backends.openai.vision import Shown
from webchat.backends.pictures import newest_shown, pictures_of
from webchat.frameworks.pieces import Foreign


def as_chat(messages: Sequence[HistoryItem]) -> list[dict[str, Any]]:
    """In the format of OpenAI's chat completions, which LangChain uses, too."""
    return Shown(messages).messages()


def as_responses(messages: Sequence[HistoryItem]) -> list[dict[str, Any]]:
    """In the format of OpenAI's Responses API."""
    return [{**message, "content": _of_responses(message["content"])} for message in as_chat(messages)]


def for_pydantic_ai(of: Foreign, messages: Sequence[HistoryItem]) -> list[HistoryItem]:
    """With a list of text and BinaryContent as the content of messages that have pictures."""
    return [_with_binary(of, message) for message in newest_shown(messages)]


def _of_responses(content: str | list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    return [
        {"type": "input_text", "text": part["text"]}
        if part["type"] == "text"
        else {"type": "input_image", "image_url": part["image_url"]["url"], "detail": "auto"}
        for part in content
    ]


def _with_binary(of: Foreign, message: HistoryItem) -> HistoryItem:
    read = [(picture.media_type, data) for picture in pictures_of(message) if (data := picture.read()) is not None]
    if not read:
        return {"role": message["role"], "content": message["content"]}
    shown = [of.BinaryContent(data=data, media_type=media_type) for media_type, data in read]
    return {"role": message["role"], "content": [*filter(None, [message["content"]]), *shown]}
