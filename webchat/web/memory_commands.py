"""Which messages are memory commands, which no model is asked. Knows no route."""

from __future__ import annotations

from webchat.memory import Action, check_memory_intent
from webchat.web.context import chat_of
from webchat.web.inputs import request_fields


def memory_intent(message: str) -> tuple[Action, str] | None:
    """What this request's message asks of the memory; None if it goes to the model, as every one with files does."""
    if chat_of().memory is None or request_fields().has_files:
        return None
    return check_memory_intent(message)
