"""Memories that another program keeps too: the file of Amplifier's distribution, if it is there.

Its writer keeps only what it knows, so a row has no other keys here; what else we know of the memories (the trash, the
next id) stays in our own document. It takes no lock: both replace the file as a whole.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from webchat.memory.file import MemoryFile, dump, parse

KNOWN = ("id", "timestamp", "category", "content", "tags")
"""The keys of a row that both programs have."""
Row = dict[str, Any]


class SharedMemories:
    """The file, whose rows are those of the one person of a chat without sign-in."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def is_there(self) -> bool:
        """Whether there is such a file; it is never made here."""
        return self._path.is_file() and not self._path.is_symlink()

    def joined(self, ours: MemoryFile) -> MemoryFile:
        """Our document's memories with those of the file. Raises OSError.

        Memories from before the file was there come with new ids where the file has other memories under theirs.
        """
        theirs = parse(self._path.read_bytes())
        contents = {str(row["id"]): row["content"] for row in theirs.rows}
        next_id = max(ours.next_id, theirs.next_id)
        joined = MemoryFile(ours.top, list(theirs.rows), next_id, ours.damaged, ours.trash, is_shared=True)
        for row in ours.rows:
            if "owner" not in row and str(row["id"]) in contents:
                if row["content"] == contents[str(row["id"])]:  # a crash came between the two writes
                    continue
                row = {**row, "id": f"mem-{joined.next_id:03}"}
                joined.next_id += 1
            joined.rows.append(row)
        return joined

    def replace(self, rows: list[Row]) -> None:
        """Write these rows, in one step; the file's other keys and its mode stay. Raises OSError."""
        before = parse(self._path.read_bytes())
        if before.damaged:
            raise OSError(f"{self._path} cannot be understood, so it is not written")
        known = {str(row["id"]): row for row in before.rows}
        new = [{**known.get(str(row["id"]), {}), **{key: row[key] for key in KNOWN if key in row}} for row in rows]
        if new == before.rows:
            return
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".memory-store.yaml.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(dump({**before.top, "memories": new}))
                file.flush()
                os.fsync(handle)
            os.chmod(name, self._path.stat().st_mode & 0o777)  # noqa: PTH101  (a name, not a path)
            os.replace(name, self._path)  # noqa: PTH105
        except BaseException:
            os.unlink(name)  # noqa: PTH108
            raise
