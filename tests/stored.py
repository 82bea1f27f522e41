"""Reads and changes stored data as a separate process would."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from webchat import config
from webchat.conventions import WEB_CHAT_SETTINGS_FILENAME
from webchat.fileutil import Folder
from webchat.manager import WebChatSessionManager
from webchat.storage import is_database, storage_at
from webchat.storage.files.documents import FileDocuments
from webchat.storage.files.leases import FileLeases
from webchat.storage.files.reply_logs import FileReplyLogs
from webchat.storage.files.transcripts import FileTranscripts
from webchat.storage.protocols import Storage
from webchat.storage.protocols.documents import SETTINGS, Documents

_opened: dict[Path | str, Storage] = {}


class Stored:
    """The conversations in an engine of plain files."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.transcripts, self.leases = FileTranscripts(folder), FileLeases(folder)
        self.replies = FileReplyLogs(folder, self.transcripts, self.leases)


def documents_in(folder: Folder) -> FileDocuments:
    """The documents of a home that is this folder."""
    return FileDocuments(folder, folder.sub("server"))


def documents_of(home: Path | str) -> Documents:
    """The documents of a chat of that home. `close` must be called at the end of the test."""
    place = place_of(home)
    if place not in _opened:
        _opened[place] = storage_at(place)
    return _opened[place].documents


def close() -> None:
    """Close the storages that `documents_of` has opened."""
    while _opened:
        _opened.popitem()[1].close()


def place_of(home: Path | str) -> Path | str:
    """Where a chat of that home keeps everything: its registry's path, or the address of the tests' database."""
    return config.Settings(home=Path(home), database=os.environ.get("WEBCHAT_DATABASE", "")).storage


def engine_of(manager: WebChatSessionManager) -> Storage:
    """The storage of a chat, without the temporary sessions beside it."""
    return getattr(manager.storage, "main", manager.storage)


def put_settings(home: Path, text: str) -> None:
    """Write the saved settings by hand, whatever they are."""
    if is_database(place_of(home)):
        with documents_of(home).changing(SETTINGS) as draft:
            draft.data = text.encode()
    else:
        settings_path(home).write_text(text)


def settings_path(home: Path) -> Path:
    """The file in which the settings page saves."""
    return home / "server" / WEB_CHAT_SETTINGS_FILENAME


def load(explicit: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[config.Settings, dict[str, config.Source]]:
    """The settings of a server with these flags and variables."""
    told, _ = config.load(explicit, environ)
    return config.load(explicit, environ, documents_of(told.home))
