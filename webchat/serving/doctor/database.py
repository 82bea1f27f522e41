"""Checks a chat that stores everything in a database. Knows no table."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from webchat.backends.mock import MockBackend
from webchat.manager import WebChatSessionManager
from webchat.serving.doctor import Check, Finding, alike
from webchat.storage import storage_at

DISABLE_ANEW = "remove it from the table webchat.documents, and disable them again"


class Database:
    """The database with that address. Checks change nothing; chats may be running on it."""

    def __init__(self, address: str) -> None:
        self._storage = storage_at(address)
        self._manager = WebChatSessionManager(MockBackend(), self._storage)

    def close(self) -> None:
        """Close what the checks have opened."""
        self._manager.close()

    def checks(self) -> dict[str, Check]:
        """The checks by name, in the order of repair."""
        documents = self._storage.documents
        return {
            "database": self._check_database,
            "imports": self._check_imports,
            "unfinished answers": partial(alike.replies, self._manager),
            "memories": partial(alike.memories, documents),
            "settings": partial(alike.settings, documents),
            "people": partial(alike.people, documents, "the document “people”", DISABLE_ANEW),
        }

    def _check_database(self) -> Iterator[Finding]:
        self._storage.probe()
        yield Finding(self._storage.place, "it can be written", is_note=True)

    def _check_imports(self) -> Iterator[Finding]:
        left = self._manager.archive.importer.left
        if left:
            mend = self._manager.archive.importer.discard_left
            yield Finding(f"an interrupted import has left {len(left)} sessions", mend=mend)
