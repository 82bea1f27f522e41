"""The engine in memory and the main one; knows which of them has a session."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from webchat.errors import MemoryFull
from webchat.limits import MIB
from webchat.storage.memory.engine import MemoryStorage
from webchat.storage.protocols import Storage


@dataclass
class Engines:
    """`memory` has the temporary sessions, `main` all others."""

    main: Storage
    memory: MemoryStorage = field(default_factory=MemoryStorage)
    temporary: set[str] = field(default_factory=set)
    """The ids of all temporary sessions, even of those that have ended."""
    most_bytes: int = 256 * MIB
    """The most bytes of the messages, queues and pictures of all temporary sessions together."""

    def of(self, session_id: str) -> Storage:
        """The engine that has this session."""
        return self.memory if session_id in self.temporary else self.main

    def split(self, session_ids: Collection[str]) -> tuple[list[str], list[str]]:
        """The ids of temporary sessions, and the others."""
        temporary = [name for name in session_ids if name in self.temporary]
        return temporary, [name for name in session_ids if name not in self.temporary]

    def require_memory(self, more: int) -> None:
        """Raises MemoryFull if so many more bytes exceed the limit for temporary sessions."""
        if self.memory.taken() + more > self.most_bytes:
            raise MemoryFull

    def require_room(self, session_id: str, more: int) -> None:
        """Raises MemoryFull if the session is temporary and so many more bytes exceed the limit."""
        if session_id in self.temporary:
            self.require_memory(more)
