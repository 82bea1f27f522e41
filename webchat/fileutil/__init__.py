"""Files that survive a crash: a folder of named files, on disk or in memory. Knows nothing about their content."""

from __future__ import annotations

from pathlib import Path

from webchat.fileutil.disk import FILE_MODE, FOLDER_MODE, DiskFolder
from webchat.fileutil.folder import (
    LOCK_SUFFIX,
    Folder,
    Locked,
    Log,
    NoLocks,
    NotAFile,
    Release,
    Stamp,
    locked,
    quarantine,
)
from webchat.fileutil.memory import MemoryFolder

__all__ = [
    "FILE_MODE",
    "FOLDER_MODE",
    "LOCK_SUFFIX",
    "DiskFolder",
    "Folder",
    "Locked",
    "Log",
    "MemoryFolder",
    "NoLocks",
    "NotAFile",
    "Release",
    "Stamp",
    "atomic_write",
    "locked",
    "quarantine",
]


def atomic_write(path: Path | str, text: str) -> None:
    """Atomically replace a file by `text` (UTF-8, mode 0600, its folder 0700); it is on the disk when this returns.

    Raises OSError; the file is unchanged then and no temporary file is left.
    """
    path = Path(path)
    DiskFolder(path.parent).replace(path.name, text.encode("utf-8"))
