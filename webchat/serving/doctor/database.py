"""What can be wrong where everything is kept in a database. Knows no table."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from webchat import config
from webchat.backends.mock import MockBackend
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore
from webchat.people import DisabledPeople
from webchat.serving.doctor import Check, Finding
from webchat.storage import storage_at


class Database:
    """The database with that address. Looking changes nothing; chats may be running on it."""

    def __init__(self, address: str) -> None:
        self._storage = storage_at(address)
        self._manager = WebChatSessionManager(MockBackend(), self._storage)
        self._memories = MemoryStore(self._storage.documents)

    def close(self) -> None:
        """End what was opened to look."""
        self._manager.close()

    def checks(self) -> dict[str, Check]:
        """What can be looked at, by name, in the order in which it is to be mended."""
        return {
            "database": self._check_database,
            "imports": self._check_imports,
            "answers left behind": self._check_replies,
            "memories": self._check_memories,
            "settings": self._check_settings,
            "people": self._check_people,
        }

    def _check_database(self) -> Iterator[Finding]:
        self._storage.probe()
        yield Finding(self._storage.place, "it can be written", is_note=True)

    def _check_imports(self) -> Iterator[Finding]:
        left = self._manager.archive.importer.left
        if left:
            mend = self._manager.archive.importer.discard_left
            yield Finding(f"an import that broke off has left {len(left)} sessions", mend=mend)

    def _check_replies(self) -> Iterator[Finding]:
        for name in sorted(self._storage.replies.sessions()):
            if not self._storage.leases.is_held(name):
                mend = partial(self._manager.housekeeping.settle, name)
                yield Finding(f"an answer in session {name} was not ended by its server", mend=mend)

    def _check_memories(self) -> Iterator[Finding]:
        if not self._memories.is_whole():
            yield Finding("some of them cannot be read", mend=self._memories.mend)

    def _check_settings(self) -> Iterator[Finding]:
        if not config.is_understood(self._storage.documents):
            yield Finding("some of them cannot be used", mend=partial(config.save, self._storage.documents, {}))

    def _check_people(self) -> Iterator[Finding]:
        if not DisabledPeople(self._storage.documents).is_understood():
            what = "who may not come in cannot be read, so that nobody can: the document “people” is damaged"
            yield Finding(what, "remove it from the table webchat.documents, and disable them anew")
