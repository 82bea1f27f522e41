"""Formats a conversation for an agent that does not have it, and computes its digest. Knows no agent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from webchat.backends import HistoryItem
from webchat.backends.pictures import in_words

MOST_TOLD = 200_000
"""Characters of a conversation that are sent to an agent's new session; of a longer one, its end."""
LEFT_OUT = "Earlier messages were left out: the agent began a new session, and the conversation is too long."
NAMES = {"user": "User", "assistant": "You"}
PRIMED = """\
This is the conversation so far. It is context: do not answer it again.

<conversation>
{}
</conversation>

The user's new message:

{}"""


def digest(history: Iterable[HistoryItem]) -> str:
    """A digest of the words of a conversation. White space does not count: parts between texts change it."""
    known = hashlib.sha256()
    for role, content in _texts(history):
        known.update(f"{role}\0{''.join(content.split())}\0".encode("utf-8", "replace"))
    return known.hexdigest()


def primed(history: Sequence[HistoryItem], message: str) -> tuple[str, bool]:
    """The message, preceded by the conversation; and whether some of the conversation had to be left out."""
    told: list[str] = []
    room = MOST_TOLD
    said = list(_texts(map(in_words, history)))
    for role, content in reversed(said):
        text = f"{NAMES[role]}: {content}"
        if len(text) > room:
            break
        room -= len(text)
        told.append(text)
    if not said:
        return message, False
    return PRIMED.format("\n\n".join(reversed(told)), message), len(told) < len(said)


def _texts(history: Iterable[HistoryItem]) -> Iterable[tuple[str, str]]:
    for item in history:
        role, content = item.get("role"), item.get("content")
        if role in NAMES and isinstance(content, str) and content.strip():
            yield str(role), content
