"""Memories shared with another program: the file of Amplifier's distribution, if it exists.

Its writer drops unknown keys, so rows have none here; our other data (the trash, the next id) is in our own document.
It uses no lock: both programs replace the file as a whole.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from webchat.conventions import MEMORY_STORE_FILENAME
from webchat.memory.file import MemoryFile, dump, parse

KNOWN = ("id", "timestamp", "category", "content", "tags")
"""The keys of a row that both programs have."""
Row = dict[str, Any]


class SharedMemories:
    """The file, whose rows belong to the one person of a chat without sign-in."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, amplifier_home: Path) -> SharedMemories:
        """The memories of an Amplifier with this home."""
        return cls(amplifier_home / "memory" / MEMORY_STORE_FILENAME)

    @property
    def is_there(self) -> bool:
        """Whether there is such a file; it is never created here."""
        return self.path.is_file() and not self.path.is_symlink()

    def is_whole(self) -> bool:
        """Whether all of the file can be parsed, or there is none. Raises OSError."""
        return not self.is_there or not parse(self.path.read_bytes()).damaged

    def joined(self, ours: MemoryFile) -> MemoryFile:
        """Our document's memories with those of the file. Raises OSError.

        Our memories get new ids if the file has other memories with the same ids.
        """
        theirs = parse(self.path.read_bytes())
        joined = replace(ours, rows=[*theirs.rows], trash=[], shared=theirs.rows)
        joined.next_id = max(ours.next_id, theirs.next_id)
        contents = {str(row["id"]): row["content"] for row in theirs.rows}
        for rows, into in (ours.rows, joined.rows), (ours.trash, joined.trash):
            for row in rows:
                if "owner" in row or str(row["id"]) not in contents:
                    into.append(row)
                elif row["content"] != contents[str(row["id"])]:  # otherwise only one of two writes has happened
                    into.append(joined.with_new_id(row))
        return joined

    def replace(self, file: MemoryFile, *, removes: bool) -> None:
        """Write the changes of the rows without an owner since `joined`; everything else in the file stays.

        Atomic, with the file's mode. Rows that its own writer has added or removed in the meantime stay so; a new
        memory whose id that writer has taken gets another one, also in `file`. Without `removes` no row is removed.
        Raises OSError.
        """
        wanted = [row for row in file.rows if "owner" not in row]
        if wanted == file.shared or file.shared is None:
            return
        now = parse(self.path.read_bytes())
        if now.damaged:
            raise OSError(f"{self.path} cannot be parsed, so it is not written")
        known, kept = set(map(_key, file.shared)), set(map(_key, wanted))
        rows = [row for row in now.rows if not removes or _key(row) not in known or _key(row) in kept]
        there = {*map(_key, rows), *known}
        taken = {str(row["id"]) for row in rows}
        for row in wanted:
            if _key(row) not in there:
                if str(row["id"]) in taken:
                    file.next_id = max(file.next_id, now.next_id)
                    row.update(file.with_new_id(row))
                taken.add(str(row["id"]))
                rows.append({key: row[key] for key in KNOWN if key in row})
        rows.sort(key=lambda row: (str(row.get("timestamp") or ""), len(str(row["id"])), str(row["id"])))
        if rows != now.rows:
            self._write(dump({**now.top, "memories": rows}))

    def _write(self, data: bytes) -> None:
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".memory-store.yaml.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(handle)
            Path(name).chmod(self.path.stat().st_mode & 0o777)
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _key(row: Row) -> tuple[str, str]:
    return str(row["id"]), str(row["content"])
