"""Stores the errors that ended answers as codes in their messages, and restores them for later requests."""

from __future__ import annotations

from webchat.chat.message import Message
from webchat.errors import (
    BackendUnavailable,
    InvalidInput,
    NothingSaid,
    SessionEnded,
    StorageError,
    Unforeseen,
    WebChatError,
)

_CODES: dict[str, type[WebChatError]] = {
    "ended": SessionEnded,
    "empty": NothingSaid,
    "refused": InvalidInput,
    "storage": StorageError,
    "unforeseen": Unforeseen,
}
"""The error class for a message's `code`; without a code it is BackendUnavailable."""


def code_of(error: WebChatError) -> str:
    """The code for this error; "" if it has none."""
    return next((code for code, kind in _CODES.items() if isinstance(error, kind)), "")


def error_of(message: Message) -> WebChatError | None:
    """The error that ended this answer, or None."""
    kind = _CODES.get(message.code or "", BackendUnavailable)
    if kind is StorageError:
        return StorageError.with_text(message.error or "")
    return kind(message.error or "") if message.error or kind is SessionEnded else None
