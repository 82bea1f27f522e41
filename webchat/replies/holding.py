"""Decides whether a session's queued messages are held. Pure: knows no storage."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from webchat.chat.conversation import Conversation
from webchat.chat.message import Message
from webchat.chat.queued import QueuedMessage


def is_held(conversation: Conversation, items: Collection[QueuedMessage]) -> bool:
    """Whether the queue is held: the last answer is incomplete, or was when a person went on without the model, which
    has not answered since.

    An answer from the memory does not count.
    """
    last = _last(conversation)
    since = max((item.held for item in items if item.held is not None), default=None)
    if last is None or since is None:
        return not _is_whole(last)
    is_earlier = 0 < last.revision <= since
    return is_earlier or last.kind == "edited" or not _is_whole(last)


def held(conversation: Conversation, items: Collection[QueuedMessage]) -> list[QueuedMessage]:
    """The same messages; if they are held, marked to stay held until the model answers again."""
    if not is_held(conversation, items):
        return [*items]
    return [item if item.returned else replace(item, held=conversation.revision) for item in items]


def _last(conversation: Conversation) -> Message | None:
    return next((message for message in reversed(conversation.messages) if message.kind != "memory"), None)


def _is_whole(last: Message | None) -> bool:
    return last is None or (last.role == "assistant" and last.status == "complete")
