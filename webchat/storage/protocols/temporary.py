"""What a storage with temporary sessions can do, and the only place that asks for it. Knows no engine."""

from __future__ import annotations

from typing import Protocol, cast

from webchat.chat.session import Row, WebChatSession
from webchat.storage.protocols.engine import Storage


class HoldingTemporary(Protocol):
    """Holds temporary sessions too. Nothing of them is written: they are gone when this process ends."""

    def temporary_sessions(self) -> list[WebChatSession]:
        """The temporary sessions of every owner."""

    def temporary_of(self, owner: str | None) -> list[WebChatSession]:
        """A person's temporary ones, by latest activity."""

    def require_temporary_room(self, owner: str | None) -> None:
        """Raises LimitReached if the owner may not have one more temporary one."""

    def require_memory(self, more: int) -> None:
        """Raises MemoryFull if temporary sessions may not take so many more bytes."""

    def ended(self) -> list[str]:
        """The ids of ended ones that a late writer has left something of."""

    def keep(self, session_id: str, changes: Row, most: int) -> None:
        """Write a temporary session, whole and with these changes to its record; it is one like all others then.

        The caller holds its lease. Raises SessionNotFound if there is no such temporary session, LimitReached if its
        owner may not have more than `most` (0: no limit), OSError; it stays temporary then.
        """


def holding_temporary(storage: Storage) -> HoldingTemporary | None:
    """The storage, if it holds temporary sessions too."""
    return cast(HoldingTemporary, storage) if hasattr(storage, "temporary_sessions") else None
