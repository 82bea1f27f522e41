"""Memories: commands, store and answers. Knows no backend and no session."""

from __future__ import annotations

from webchat.memory.answers import MemoryAnswer, answer, answered_before, unused
from webchat.memory.file import Memories, Memory
from webchat.memory.intent import Action, check_memory_intent
from webchat.memory.store import MemoryStore
from webchat.memory.words import categorise, tags_of

__all__ = [
    "Action",
    "Memories",
    "Memory",
    "MemoryAnswer",
    "MemoryStore",
    "answer",
    "answered_before",
    "categorise",
    "check_memory_intent",
    "tags_of",
    "unused",
]
