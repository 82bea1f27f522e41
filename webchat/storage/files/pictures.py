"""Pictures as plain files: each session has a folder of them. The same bytes are one file with several names.

The file system counts the names (hard links), so no list of uses can be wrong. Where it has no such links, or
somebody has copied the folder without them, each session has a file of its own; that only takes more room.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from contextlib import suppress

from webchat.fileutil import DiskFolder
from webchat.fileutil.links import link, names_of, remove_if_empty
from webchat.storage.protocols.pictures import key_of

SHARED = ".by-hash"
"""The folder with a name for all bytes that are there. No session's id begins with a dot."""


class FilePictures:
    """See `Pictures`. The files are `<session>/<key>`."""

    def __init__(self, folder: DiskFolder) -> None:
        self._folder, self._shared = folder, folder.sub(SHARED)

    def put(self, session_id: str, data: bytes, suffix: str) -> str:
        key, mine = key_of(data, suffix), self._folder.sub(session_id)
        if mine.read(key) == data:
            return key
        if self._shared.read(key) != data:  # somebody may have changed the file
            self._shared.replace(key, data)
        if not link(self._shared, key, mine):
            mine.replace(key, data)
        return key

    def read(self, session_id: str, key: str) -> bytes | None:
        return self._folder.sub(session_id).read(key)

    def sizes(self, session_id: str) -> Mapping[str, int]:
        mine = self._folder.sub(session_id)
        stamps = {key: mine.stamp(key) for key in mine.names() if not key.startswith(".")}
        return {key: stamp.size for key, stamp in stamps.items() if stamp}

    def copy(self, session_id: str, to: str, keys: Collection[str]) -> None:
        mine, other = self._folder.sub(session_id), self._folder.sub(to)
        for key in keys:
            if mine.stamp(key) is not None and not link(mine, key, other):
                other.replace(key, mine.read(key) or b"")

    def size(self, session_id: str) -> int:
        """Bytes of all of the session's pictures."""
        return sum(self.sizes(session_id).values())

    def states(self) -> Mapping[str, object]:
        """For each session with pictures, a value that differs when its pictures have changed."""
        with suppress(FileNotFoundError):  # there is none, or a session is being removed
            self._folder.require_no_link()
            with os.scandir(self._folder.path) as entries:
                return {entry.name: entry.stat(follow_symlinks=False).st_mtime_ns for entry in entries}
        return {}

    def remove(self, session_id: str) -> None:
        """Remove a session's pictures, and bytes that no other session uses. Raises OSError."""
        mine = self._folder.sub(session_id)
        for key in mine.names():
            mine.remove(key)
            # A session that links the shared file at this moment keeps it: its own name is enough.
            if names_of(self._shared, key) == 1:
                self._shared.remove(key)
        remove_if_empty(mine)
