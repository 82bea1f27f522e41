"""The items of one session's queue: which is the same message, and how many there may be. Knows no storage."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from webchat.chat.queued import QueuedMessage
from webchat.errors import LimitReached
from webchat.limits import MOST_QUEUED
from webchat.replies.submission import key_of

MOST = 20
"""The most messages that wait in one session's queue."""


def same(items: Sequence[QueuedMessage], key: str, text: str) -> QueuedMessage | None:
    """The item that was sent with that key and text, if any."""
    keys = (key, key_of(key, text))
    return next((item for item in items if item.key in keys and text in (item.text, item.first)), None)


def require_place(items: Collection[QueuedMessage], back: Collection[str]) -> None:
    """Raises LimitReached if the queue is full without those of the messages taken back that have these keys."""
    if sum(not known.returned for known in items) >= MOST:
        raise LimitReached(MOST, "Wait until one is sent, or take one back", "messages waiting")
    if sum(not (known.returned and known.key in back) for known in items) >= MOST_QUEUED:
        raise LimitReached(MOST_QUEUED, "Send the text in the message field first", "messages waiting or taken back")
