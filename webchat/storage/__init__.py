"""Storage: the protocols, and the engines behind them."""

from __future__ import annotations

from pathlib import Path

from webchat.errors import InvalidInput
from webchat.extras import install
from webchat.observer import NOBODY, Observer
from webchat.storage.protocols import Storage


def storage_at(path: Path | str | None, observer: Observer = NOBODY) -> Storage:
    """The storage at `path`: plain files, the registry of sessions there and the others beside it; None: in memory.

    `path` may also be the address of a database, "postgresql://…". Open it once and share it. `observer` measures
    writes. Raises InvalidInput for an invalid address, StorageAway if the database cannot be reached.
    """
    if is_database(path):
        return _database(str(path), observer)
    if path is None:
        from webchat.storage.memory.engine import MemoryStorage

        return MemoryStorage()
    from webchat.storage.files.engine import FileStorage

    return FileStorage(Path(path).expanduser(), observer)


def opened(place: Storage | Path | str | None, observer: Observer = NOBODY) -> Storage:
    """The storage at that path or address; an open storage is returned as it is."""
    return storage_at(place, observer) if place is None or isinstance(place, Path | str) else place


def with_temporary(storage: Storage) -> Storage:
    """The storage with temporary sessions; unchanged if several servers may use it.

    A temporary session would be found by one of them only.
    """
    from webchat.storage.temporary.engine import WithTemporary

    return storage if storage.is_for_several else WithTemporary(storage)


def is_database(path: Path | str | None) -> bool:
    """Whether this is the address of a database."""
    return isinstance(path, str) and path.startswith(("postgresql://", "postgres://"))


def _database(url: str, observer: Observer) -> Storage:
    try:
        from webchat.storage.postgres.engine import PostgresStorage
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("psycopg", "psycopg_pool"):
            raise
        raise InvalidInput(f"PostgreSQL needs one more package. Run: {install('postgres')}") from error
    return PostgresStorage(url, observer)
