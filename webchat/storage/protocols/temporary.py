"""The protocol of a storage with temporary sessions, and the only place that checks for it. Knows no engine."""

from __future__ import annotations

from typing import Protocol, cast

from webchat.chat.session import Row, WebChatSession
from webchat.storage.protocols.engine import Storage


class HoldingTemporary(Protocol):
    """Has temporary sessions, too. They are never written, and are gone when this process ends."""

    def temporary_sessions(self) -> list[WebChatSession]:
        """The temporary sessions of every owner."""

    def temporary_of(self, owner: str | None) -> list[WebChatSession]:
        """A person's temporary sessions, by latest activity."""

    def require_temporary_room(self, owner: str | None) -> None:
        """Raises LimitReached if the owner may not have another temporary session."""

    def require_memory(self, more: int) -> None:
        """Raises MemoryFull if so many more bytes exceed the limit for temporary sessions."""

    def ended(self) -> list[str]:
        """The ids of ended temporary sessions in which a late writer has left something."""

    def keep(self, session_id: str, changes: Row, most: int) -> None:
        """Write a temporary session with its content and these changes to its record; it is then a normal session.

        The caller holds its lease. Raises SessionNotFound if there is no such temporary session, LimitReached if its
        owner may not have more than `most` (0: no limit), OSError; it stays temporary then.
        """


def holding_temporary(storage: Storage) -> HoldingTemporary | None:
    """The storage, if it holds temporary sessions too."""
    return cast(HoldingTemporary, storage) if hasattr(storage, "temporary_sessions") else None
