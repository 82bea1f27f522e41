"""A folder in memory, for tests that write much."""

from __future__ import annotations

import threading

from webchat.fileutil.folder import Appended, Folder, Locked, Log, Release, Stamp


class MemoryFolder(Folder):
    """See `Folder`; for this process alone."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}
        self._versions: dict[str, int] = {}
        self._identities: dict[str, int] = {}
        self._subs: dict[str, MemoryFolder] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._changes = threading.Lock()

    def sub(self, name: str) -> MemoryFolder:
        with self._changes:
            return self._subs.setdefault(name, MemoryFolder())

    def names(self) -> list[str]:
        return list(self._files)

    def stamp(self, name: str) -> Stamp | None:
        with self._changes:
            data = self._files.get(name)
            return None if data is None else Stamp(len(data), self._versions[name], self._identities[name])

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes | None:
        data = self._files.get(name)
        return None if data is None else data[offset : None if size is None else offset + size]

    def replace(self, name: str, data: bytes) -> None:
        with self._changes:
            self._identities[name] = self._versions[name] = self._versions.get(name, 0) + 1
            self._files[name] = data

    def append_line(self, name: str, line: bytes, *, sync: bool = True) -> Appended:
        with self._changes:
            was = self._versions.get(name, 0)
            self._versions[name] = was + 1
            self._identities.setdefault(name, self._versions[name])
            before = self._files.get(name, b"")
            torn = before and not before.endswith(b"\n")
            self._files[name] = before + (b"\n" if torn else b"") + line + b"\n"
            identity, version = self._identities[name], self._versions[name]
            after = Stamp(len(self._files[name]), version, identity)
            return Appended(Stamp(len(before), was, identity), after)

    def begin(self, name: str, data: bytes) -> Log:
        self.replace(name, data)
        return _MemoryLog(self, name)

    def remove(self, *names: str) -> None:
        with self._changes:
            for name in names:
                self._files.pop(name, None)
                self._identities.pop(name, None)

    def rename(self, name: str, to: str) -> None:
        with self._changes:
            for kept in (self._files, self._versions, self._identities):
                if name in kept:
                    kept[to] = kept.pop(name)  # type: ignore[assignment]

    def free(self) -> int | None:
        return None

    def lock(self, name: str, timeout: float) -> Release:
        with self._changes:
            lock = self._locks.setdefault(name, threading.Lock())
        if not lock.acquire(timeout=timeout):
            raise Locked(name)
        return lock.release

    def is_locked(self, name: str) -> bool:
        lock = self._locks.get(name)
        return lock is not None and lock.locked()


class _MemoryLog:
    def __init__(self, folder: MemoryFolder, name: str) -> None:
        self._folder, self._name = folder, name

    def append_line(self, line: bytes) -> None:
        self._folder.append_line(self._name, line)

    def close(self) -> None:
        """There is nothing to close."""
