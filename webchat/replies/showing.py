"""Selects the pictures of a conversation that a backend receives. Knows no backend and no file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from webchat.backends.pictures import GivenPicture, in_words
from webchat.chat.picture import SentPicture

ReadPicture = Callable[[str, str], bytes | None]
"""Takes a session's id and a picture's key; returns the picture's bytes."""


def no_picture(session_id: str, key: str) -> None:
    """A `ReadPicture` for a chat without stored pictures."""


def pictures_for(read: ReadPicture, session_id: str, pictures: Iterable[SentPicture]) -> list[GivenPicture]:
    """A message's pictures; their bytes are read when needed."""
    return [
        GivenPicture(each.name, each.media_type, each.size, partial(read, session_id, each.key)) for each in pictures
    ]


def past_for(
    read: ReadPicture, session_id: str, past: Sequence[Mapping[str, Any]], *, shown: bool
) -> list[Mapping[str, Any]]:
    """A history with its pictures; unless `shown`, with words in their place."""
    given = [
        {**item, "pictures": pictures_for(read, session_id, item["pictures"])} if item.get("pictures") else item
        for item in past
    ]
    return given if shown else list(map(in_words, given))
