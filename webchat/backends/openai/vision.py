"""Messages with pictures, as OpenAI-compatible servers take them, and what says that a model sees none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from webchat.backends import HistoryItem
from webchat.backends.pictures import newest_shown, pictures_of

_ABOUT_PICTURES = re.compile(r"image|vision|multi-?modal|mmproj|content must be a string", re.IGNORECASE)
_ABOUT_THIS_ONE = re.compile(
    r"too (large|big|small)|exceed|dimension|resolution|corrupt|decod|download|invalid image|process", re.IGNORECASE
)


def told(messages: Sequence[HistoryItem]) -> list[dict[str, Any]]:
    """The messages of a question, each with its newest pictures as data URIs."""
    return [{"role": item["role"], "content": _content(item)} for item in newest_shown(messages)]


def has_pictures(messages: Sequence[HistoryItem]) -> bool:
    return any(pictures_of(item) for item in messages)


def says_blind(status: int, refusal: str) -> bool:
    """Whether a server that refuses a question with pictures says that its model does not see any."""
    is_refusal = 400 <= status < 500 or status in (500, 501)
    return is_refusal and bool(_ABOUT_PICTURES.search(refusal)) and not _ABOUT_THIS_ONE.search(refusal)


def _content(item: HistoryItem) -> str | list[dict[str, Any]]:
    """A plain text unless there are pictures: not every server takes a list."""
    text: str = item["content"]
    urls = [f"data:{picture.media_type};base64,{data}" for picture in pictures_of(item) if (data := picture.base64())]
    if not urls:
        return text
    shown = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [*([{"type": "text", "text": text}] if text else []), *shown]
