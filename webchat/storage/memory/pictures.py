"""Pictures in memory. Knows no session's record."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping

from webchat.storage.protocols.pictures import key_of


class MemoryPictures:
    """See `Pictures`."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._data: dict[str, bytes] = {}
        self._of: dict[str, set[str]] = {}
        self._bytes = 0

    def put(self, session_id: str, data: bytes, suffix: str) -> str:
        key = key_of(data, suffix)
        with self._guard:
            if key not in self._data:
                self._data[key] = data
                self._bytes += len(data)
            self._of.setdefault(session_id, set()).add(key)
        return key

    def read(self, session_id: str, key: str) -> bytes | None:
        with self._guard:
            return self._data[key] if key in self._of.get(session_id, ()) else None

    def sizes(self, session_id: str) -> Mapping[str, int]:
        with self._guard:
            return {key: len(self._data[key]) for key in self._of.get(session_id, ())}

    def copy(self, session_id: str, to: str, keys: Collection[str]) -> None:
        with self._guard:
            known = self._of.get(session_id, set()) & {*keys}
            if known:
                self._of.setdefault(to, set()).update(known)

    def states(self) -> Mapping[str, object]:
        """For each session with pictures, a value that differs when its pictures have changed."""
        with self._guard:
            return {session_id: len(keys) for session_id, keys in self._of.items()}

    def taken(self) -> int:
        """The total size in bytes."""
        return self._bytes

    def remove(self, session_id: str) -> None:
        """Remove a session's pictures, and bytes that no other session uses."""
        with self._guard:
            gone = self._of.pop(session_id, set())
            for key in gone.difference(*self._of.values()):
                self._bytes -= len(self._data.pop(key))
