"""Checks that are the same for all storage engines. Knows no file and no table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from webchat import config
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore
from webchat.memory.shared import SharedMemories
from webchat.people import DisabledPeople
from webchat.serving.doctor import Finding
from webchat.storage.protocols import Documents


def replies(
    manager: WebChatSessionManager, files: Callable[[str], tuple[Path, ...]] = lambda session_id: ()
) -> Iterator[Finding]:
    """Reports answers that no server writes any more; `files` are those that change when one is settled."""
    storage = manager.storage
    for session_id in sorted(storage.replies.sessions()):
        if not storage.leases.is_held(session_id):
            settle = partial(manager.housekeeping.settle, session_id)
            what = f"the server died during an answer in session {session_id}"
            yield Finding(what, mend=settle, files=files(session_id))


def memories(documents: Documents, *files: Path) -> Iterator[Finding]:
    """Reports memories that cannot be read; they are in these files."""
    # Only the server knows how long the trash is kept: nothing expires here.
    memories = MemoryStore(documents, trash_days=math.inf)
    if not memories.is_whole():
        yield Finding("some of them cannot be read", mend=memories.mend, files=files)


def shared_memories(memories: SharedMemories) -> Iterator[Finding]:
    """Reports memories of Amplifier that cannot be read; they are not ours to repair."""
    if not memories.is_whole():
        what = f"part of {memories.path} cannot be read; until it can, nothing new is remembered"
        yield Finding(what, "repair it in an editor, or move it away")


def settings(documents: Documents, *files: Path) -> Iterator[Finding]:
    """Reports saved settings that cannot be used; they are in these files."""
    if not config.is_understood(documents):
        yield Finding("some of them cannot be used", mend=partial(config.save, documents, {}), files=files)


def people(documents: Documents, place: str, advice: str) -> Iterator[Finding]:
    """Reports a list of disabled people that cannot be read; `place` names it."""
    if not DisabledPeople(documents).is_understood():
        yield Finding(f"the list of disabled people cannot be read, so nobody can sign in: {place} is damaged", advice)
