"""Prepares pictures for a model, or words in their place for a model that sees none. Knows no file."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_SHOWN, MOST_BYTES = 20, 30 * 2**20
"""The most pictures of a conversation that go with a question, newest first, and the most bytes of them together."""
BLIND = "{} has no vision. Choose another model, or send the message without the pictures."


@dataclass(frozen=True, slots=True, eq=False)
class GivenPicture:
    """A picture of a message. `read` returns its bytes when they are needed, None if the file is gone."""

    name: str
    media_type: str
    size: int
    read: Callable[[], bytes | None]

    def base64(self) -> str | None:
        """Its bytes in base64; None if the file is gone."""
        data = self.read()
        return None if data is None else base64.b64encode(data).decode()


def pictures_of(item: Mapping[str, Any]) -> Sequence[GivenPicture]:
    """The pictures of one message of a conversation."""
    return tuple(item.get("pictures") or ())


def in_words(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message with its pictures replaced by words."""
    names = [f"(The picture {picture.name} is not shown to you.)" for picture in item.get("pictures") or ()]
    if not names:
        return item
    rest = {name: value for name, value in item.items() if name != "pictures"}
    return {**rest, "content": "\n\n".join(filter(None, (item["content"], *names)))}


def newest_shown(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The messages with only the newest pictures, within the limits; the others are replaced by words."""
    count, size = 0, 0
    shown: list[Mapping[str, Any]] = []
    for item in reversed(messages):
        pictures = pictures_of(item)
        count, size = count + len(pictures), size + sum(picture.size for picture in pictures)
        fits = count <= MOST_SHOWN and size <= MOST_BYTES
        shown.append(item if fits else in_words(item))
    return shown[::-1]
