"""Reads the attachments of messages that are sent again. Knows no rule."""

from __future__ import annotations

from collections.abc import Sequence

from webchat.chat.message import Message
from webchat.chat.queued import QueuedMessage
from webchat.errors import storing
from webchat.storage.protocols import Pictures


def given_again(
    pictures: Pictures, session_id: str, messages: Sequence[Message | QueuedMessage]
) -> list[tuple[str, str | bytes]]:
    """The messages' files and pictures as (name, content). Raises StorageError."""
    given: list[tuple[str, str | bytes]] = [(file.name, file.content) for each in messages for file in each.files]
    with storing("The picture could not be read"):
        read = [(one.name, pictures.read(session_id, one.key)) for each in messages for one in each.pictures]
    return [*given, *((name, data) for name, data in read if data is not None)]
