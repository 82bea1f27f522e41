"""Where conversations are kept: the protocols, and the engines behind them."""

from __future__ import annotations

from pathlib import Path

from webchat.errors import InvalidInput
from webchat.observer import NOBODY, Observer
from webchat.storage.protocols import Storage


def storage_at(path: Path | str | None, observer: Observer = NOBODY) -> Storage:
    """Plain files, the registry of sessions at `path` and all else beside it; in memory if there is no path.

    The address of a database, "postgresql://…", is a place too. Open it once, and give it to all that need it.
    `observer` is told how long writes take. Raises InvalidInput for an address that cannot be used, StorageAway where
    nobody answers there.
    """
    if is_database(path):
        return _database(str(path))
    if path is None:
        from webchat.storage.memory.engine import MemoryStorage

        return MemoryStorage()
    from webchat.storage.files.engine import FileStorage

    return FileStorage(Path(path).expanduser(), observer)


def opened(place: Storage | Path | str | None, observer: Observer = NOBODY) -> Storage:
    """The storage at that place, or the one that is open already."""
    return storage_at(place, observer) if place is None or isinstance(place, Path | str) else place


def is_database(path: Path | str | None) -> bool:
    """Whether this is the address of a database."""
    return isinstance(path, str) and path.startswith(("postgresql://", "postgres://"))


def _database(url: str) -> Storage:
    try:
        from webchat.storage.postgres.engine import PostgresStorage
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("psycopg", "psycopg_pool"):
            raise
        raise InvalidInput("PostgreSQL needs one more package: pip install 'webchat[postgres]'") from error
    return PostgresStorage(url)
