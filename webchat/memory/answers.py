"""Executes memory commands and words their answers."""

from __future__ import annotations

from dataclasses import dataclass

from webchat.memory.file import Memories, Memory
from webchat.memory.intent import Action
from webchat.memory.store import MemoryStore

MOST_TOLD = 50
"""Memories that are listed for one question."""

NOT_IN_TEMPORARY = "This chat is temporary: it neither saves nor uses memories."


@dataclass(frozen=True)
class MemoryAnswer:
    """The result of a memory command: the text for people, and the stored memory or the list of those found."""

    text: str
    action: Action
    result: Memory | Memories


def answer(
    store: MemoryStore, action: Action, text: str, owner: str | None = None, *, key: str | None = None
) -> MemoryAnswer:
    """Execute the result of `check_memory_intent`; `key` is as in `MemoryStore.remember`. Raises the store's errors."""
    if action == "remember":
        memory = store.remember(text, owner, key=key)
        return MemoryAnswer(_stored_text(memory), action, memory)
    found = store.recall(text, owner)
    return MemoryAnswer(_found_text(found) if found else f"No memories found matching '{text}'.", action, found)


def unused(action: Action) -> MemoryAnswer:
    """The answer in a temporary chat, which does nothing."""
    return MemoryAnswer(NOT_IN_TEMPORARY, action, [])


def answered_before(store: MemoryStore, action: Action, text: str, said: str, owner: str | None = None) -> MemoryAnswer:
    """Repeat the earlier result of `answer`; stores nothing. Raises the store's errors."""
    if action == "recall":
        return MemoryAnswer(said, action, store.recall(text, owner))
    stored = [memory for memory in store.list(owner) if memory["content"] == text]
    return MemoryAnswer(said, action, stored[-1] if stored else [])


def _stored_text(memory: Memory) -> str:
    return f"Remembered! Stored as {memory['id']} (category: {memory['category']}, tags: {', '.join(memory['tags'])})"


def _found_text(found: Memories) -> str:
    lines = [f"- [{memory['id']}] ({memory['category']}) {memory['content']}" for memory in found[-MOST_TOLD:]]
    more = len(found) - len(lines)
    rest = ["", f"These are the newest; {more} more match. Use more words to narrow the search."] if more else []
    return "\n".join([f"Found {len(found)} memory(ies):", "", *lines, *rest])
