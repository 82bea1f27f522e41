"""Files with several names (hard links), which the file system counts."""

from __future__ import annotations

import os
from contextlib import suppress

from webchat.fileutil.disk import DiskFolder


def link(folder: DiskFolder, name: str, to: DiskFolder) -> bool:
    """Link a file under the same name into another folder; returns whether it is there now.

    It is not if the file is gone, or if the file system has no hard links.
    """
    folder.require_no_link()
    to.make()
    try:
        os.link(folder.path / name, to.path / name, follow_symlinks=False)
    except FileExistsError:
        return names_of(folder, name) > 1 and (folder.path / name).samefile(to.path / name)
    except OSError:
        return False
    to.sync_names()
    return True


def names_of(folder: DiskFolder, name: str) -> int:
    """How many names the file has; 0 if there is none."""
    try:
        return (folder.path / name).lstat().st_nlink
    except FileNotFoundError:
        return 0


def remove_if_empty(folder: DiskFolder) -> None:
    """Remove a folder if it is empty."""
    folder.require_no_link()
    with suppress(OSError):  # it is not empty, or it is gone
        folder.path.rmdir()
