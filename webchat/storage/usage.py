"""What each person has, counted from the records of sessions and the sizes of what they have. Knows no file."""

from __future__ import annotations

from collections.abc import Callable

from webchat.chat.session import WebChatSession
from webchat.storage.protocols import Kept
from webchat.storage.table_sessions import TableSessions


class Usage:
    """Counts anew each time, but asks for the size of a session only if something has happened in its session."""

    def __init__(self, sessions: TableSessions, size_of: Callable[[str], int]) -> None:
        self._sessions, self._size_of = sessions, size_of
        self._sizes: dict[str, tuple[str, int]] = {}
        """By session when something had last happened in it, and the size then."""

    def of(self, owner: str | None) -> Kept:
        """What is kept of one person."""
        found = self._sessions.with_trash(owner)
        return Kept(
            owner,
            len(found),
            sum(bool(session.deleted_at) for session in found),
            sum(map(self._size, found)),
            max((session.last_active for session in found), default=""),
        )

    def of_all(self) -> list[Kept]:
        """The same for everybody who has a session."""
        return [self.of(owner) for owner in self._sessions.owners()]

    def _size(self, session: WebChatSession) -> int:
        name, at = session.session_id, session.last_active
        known = self._sizes.get(name)
        if known is None or known[0] != at:
            known = self._sizes[name] = at, self._size_of(name)
        return known[1]
