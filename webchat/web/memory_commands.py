"""Recognises memory commands, which are not sent to a model. Knows no route."""

from __future__ import annotations

from webchat.memory import Action, check_memory_intent
from webchat.web.context import chat_of
from webchat.web.inputs import request_fields


def memory_intent(message: str) -> tuple[Action, str] | None:
    """The memory command in this request's message; None if the message goes to the model, like any with files."""
    if chat_of().memory is None or request_fields().has_files:
        return None
    return check_memory_intent(message)
