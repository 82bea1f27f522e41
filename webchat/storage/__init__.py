"""Where conversations are kept: the protocols, and the engines behind them."""

from __future__ import annotations

from pathlib import Path

from webchat.observer import NOBODY, Observer
from webchat.storage.protocols import Storage


def storage_at(path: Path | str | None, observer: Observer = NOBODY) -> Storage:
    """Plain files, the registry of sessions at `path` and all else beside it; in memory if there is no path.

    Open it once, and give it to all that need it. `observer` is told how long writes take.
    """
    if path is None:
        from webchat.storage.memory.engine import MemoryStorage

        return MemoryStorage()
    from webchat.storage.files.engine import FileStorage

    return FileStorage(Path(path).expanduser(), observer)


def opened(place: Storage | Path | str | None, observer: Observer = NOBODY) -> Storage:
    """The storage at that place, or the one that is open already."""
    return storage_at(place, observer) if place is None or isinstance(place, Path | str) else place
