"""What commands need of the people who use a chat, and of their memories. Loaded on demand."""

from __future__ import annotations

import math

from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore
from webchat.people import DisabledPeople
from webchat.people.register import People


def memories(manager: WebChatSessionManager) -> MemoryStore:
    """The memories there. For how long they stay in the trash is for the server to say."""
    return MemoryStore(manager.storage.documents, clock=manager.now, trash_days=math.inf)


def everybody(manager: WebChatSessionManager) -> People:
    """Everybody who has something there."""
    return People(manager, memories(manager), DisabledPeople(manager.storage.documents, manager.now))
