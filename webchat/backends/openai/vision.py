"""Formats the messages of one question with their pictures for OpenAI-compatible servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webchat.backends import HistoryItem
from webchat.backends.openai.sight import says_blind
from webchat.backends.pictures import BLIND, in_words, newest_shown, pictures_of
from webchat.errors import BackendUnavailable


class Shown:
    """The messages, with pictures until the server says that the model sees none."""

    def __init__(self, messages: Sequence[HistoryItem]) -> None:
        self._messages = list(messages)

    def messages(self) -> list[dict[str, Any]]:
        """The messages for the server, with their newest pictures as data URIs."""
        return [{"role": item["role"], "content": _content(item)} for item in newest_shown(self._messages)]

    def is_refused(self, status: int, refusal: bytes) -> bool:
        """Whether the server says that the model does not see the pictures in them."""
        return any(map(pictures_of, self._messages)) and says_blind(status, refusal.decode("utf-8", "replace"))

    def hide(self, label: str) -> None:
        """Replace earlier pictures by words. Raises BackendUnavailable if the question itself has pictures."""
        if pictures_of(self._messages[-1]):
            raise BackendUnavailable(BLIND.format(label))
        self._messages = list(map(in_words, self._messages))


def _content(item: HistoryItem) -> str | list[dict[str, Any]]:
    """A plain string unless there are pictures: not every server accepts a list."""
    text: str = item["content"]
    urls = [f"data:{picture.media_type};base64,{data}" for picture in pictures_of(item) if (data := picture.base64())]
    if not urls:
        return text
    shown = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [*([{"type": "text", "text": text}] if text else []), *shown]
