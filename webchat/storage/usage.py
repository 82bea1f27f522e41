"""Each person's usage: sessions and bytes, counted from the records and the sizes of their content. Knows no file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from webchat.chat.session import WebChatSession
from webchat.storage.protocols import Kept
from webchat.storage.table_sessions import TableSessions


class Usage:
    """Counts each time, but reads the size of a session only if something has happened in it."""

    def __init__(
        self,
        sessions: TableSessions,
        size_of: Callable[[str], int],
        pictures: Callable[[], Mapping[str, object]],
        queues: Callable[[], Mapping[str, object]],
    ) -> None:
        """`pictures` returns for each session with pictures a value that differs when they have changed.

        `queues` does the same for each session with a queue.
        """
        self._sessions, self._size_of, self._pictures, self._queues = sessions, size_of, pictures, queues
        self._sizes: dict[str, tuple[object, int]] = {}
        """By session: its state when it was counted, and its size then."""

    def of(self, owner: str | None) -> Kept:
        """One person's usage."""
        found, pictures, queues = self._sessions.with_trash(owner), self._pictures(), self._queues()
        return Kept(
            owner,
            len(found),
            sum(bool(session.deleted_at) for session in found),
            sum(self._size(each, pictures.get(each.session_id), queues.get(each.session_id)) for each in found),
            max((session.last_active for session in found), default=""),
        )

    def of_all(self) -> list[Kept]:
        """The same for everybody who has a session."""
        return [self.of(owner) for owner in self._sessions.owners()]

    def _size(self, session: WebChatSession, *beside: object) -> int:
        name, state = session.session_id, (session.last_active, *beside)
        known = self._sizes.get(name)
        if known is None or known[0] != state:
            known = self._sizes[name] = state, self._size_of(name)
        return known[1]
