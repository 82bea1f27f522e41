"""Files that survive a crash, in folders of named files. Knows nothing about their content."""

from __future__ import annotations

import os
from pathlib import Path

from webchat.fileutil.disk import FILE_MODE, FOLDER_MODE, DiskFolder
from webchat.fileutil.folder import (
    LOCK_SUFFIX,
    Appended,
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

__all__ = [
    "FILE_MODE",
    "FOLDER_MODE",
    "LOCK_SUFFIX",
    "Appended",
    "DiskFolder",
    "Folder",
    "Locked",
    "Log",
    "NoLocks",
    "NotAFile",
    "Release",
    "Stamp",
    "atomic_write",
    "in_the_way",
    "locked",
    "quarantine",
]


def atomic_write(path: Path | str, text: str) -> None:
    """Atomically replace a file by `text` (UTF-8, mode 0600, its folder 0700); it is on the disk when this returns.

    Raises OSError; the file is unchanged then and no temporary file is left.
    """
    path = Path(path)
    DiskFolder(path.parent).replace(path.name, text.encode("utf-8"))


def in_the_way(folder: Path) -> Path | None:
    """What is no folder, but would have to be one for this folder to exist; None if there is nothing like that."""
    nearest = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    return None if nearest.is_dir() else nearest
