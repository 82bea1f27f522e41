"""Errors that have ended answers, as their messages keep them: whoever asks for such an answer is told the same."""

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
"""What a message's `code` says of its `error`; without one the model could not be reached."""


def code_of(error: WebChatError) -> str:
    """The code of the message whose answer this error has ended; "" if it is none of these."""
    return next((code for code, kind in _CODES.items() if isinstance(error, kind)), "")


def error_of(message: Message) -> WebChatError | None:
    """The error that has ended this answer; None if none did."""
    kind = _CODES.get(message.code or "", BackendUnavailable)
    if kind is StorageError:
        return StorageError.told(message.error or "")
    return kind(message.error or "") if message.error or kind is SessionEnded else None
