"""Which sessions have a file of some kind in a folder. Knows no file's content."""

from __future__ import annotations

import time

from webchat.fileutil import Folder

COARSE_NS = 1_000_000_000
"""Nanoseconds within which a folder may have changed twice with one time."""


class SessionNames:
    """The sessions that have a `<session><suffix>` in the folder. If nothing has changed this costs one `stat`."""

    def __init__(self, folder: Folder, suffix: str) -> None:
        self._folder, self._suffix = folder, suffix
        self._found: tuple[object, list[str]] = None, []
        """The sessions, and the stamp of their folder."""

    def read(self) -> list[str]:
        """The current sessions. Raises OSError."""
        stamp = self._folder.stamp(".")
        before, found = self._found
        if stamp is None or stamp != before:
            names = self._folder.names()
            found = [name.removesuffix(self._suffix) for name in names if name.endswith(self._suffix)]
            # A change within the resolution of the folder's time would go unnoticed.
            is_old = stamp is not None and time.time_ns() - stamp.modified_ns > COARSE_NS
            self._found = stamp if is_old else None, found
        return found
