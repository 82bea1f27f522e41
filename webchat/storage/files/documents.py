"""Documents as plain files, one of each kind for everybody: people read and edit them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from webchat.conventions import (
    MEMORY_STORE_FILENAME,
    WEB_CHAT_PEOPLE_FILENAME,
    WEB_CHAT_RATES_FILENAME,
    WEB_CHAT_SETTINGS_FILENAME,
)
from webchat.fileutil import Folder, Stamp, locked, quarantine
from webchat.storage.protocols.documents import MEMORIES, PEOPLE, RATES, SETTINGS, Draft


class FileDocuments:
    """See `Documents`."""

    are_private = True

    def __init__(self, home: Folder, server: Folder) -> None:
        """`home` has documents that other programs read, too; `server` those of the chat alone."""
        self._places = {
            SETTINGS: (server, WEB_CHAT_SETTINGS_FILENAME),
            MEMORIES: (home, MEMORY_STORE_FILENAME),
            PEOPLE: (server, WEB_CHAT_PEOPLE_FILENAME),
            RATES: (server, WEB_CHAT_RATES_FILENAME),
        }

    def of(self, kind: str, owner: str | None) -> str:
        return kind

    def names(self, kind: str) -> Collection[str]:
        return [] if self.version(kind) is None else [kind]

    def read(self, name: str) -> bytes | None:
        folder, file = self._places[name]
        return folder.read(file)

    @contextmanager
    def changing(self, name: str) -> Iterator[Draft]:
        folder, file = self._places[name]
        with locked(folder, file):
            before = folder.read(file)
            draft = Draft(before)
            yield draft
            if draft.damaged:
                quarantine(folder, file)
            if draft.data is None:
                folder.remove(file)
            elif draft.data != before:
                folder.replace(file, draft.data)

    def version(self, name: str) -> Stamp | None:
        folder, file = self._places[name]
        return folder.stamp(file)
