"""The memories as context for the model. Knows no model."""

from __future__ import annotations

import logging

from webchat.errors import StorageError
from webchat.memory import MemoryStore

log = logging.getLogger(__name__)

MOST, MOST_CHARACTERS = 50, 4000
OPENING = "What the person has asked to be remembered, oldest first:"


def memory_context(store: MemoryStore, owner: str | None = None) -> str:
    """The newest 50 memories, one per line, up to 4,000 characters; "" if there are none.

    If they cannot be read, the model answers without them.
    """
    try:
        memories = store.list(owner)
    except StorageError:
        log.warning("the memories could not be read and are not sent to the model", exc_info=True)
        memories = []
    lines: list[str] = []
    left = MOST_CHARACTERS - len(OPENING)
    for memory in reversed(memories[-MOST:]):
        line = f"- {' '.join(memory['content'].split())}"
        if len(line) < left:
            lines.append(line)
            left -= len(line) + 1
    return "\n".join([OPENING, *reversed(lines)]) if lines else ""
