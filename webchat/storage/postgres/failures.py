"""Converts the errors of PostgreSQL, and of the way to it, into those of a storage. Knows no connection."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg_pool import PoolTimeout

from webchat.errors import StorageAway

_ENDED = ("57P01", "57P02", "57P03", "57P05", "53300")
"""SQLSTATEs of connections that the server has ended or refuses."""


_NO_WRITES = "the database is read-only, like a replica; use the address of the primary"
_NO_RIGHT = "the user in the database's address lacks a permission; grant it, or make that user the database's owner"
_NO_TABLES = "the database lacks the chat's tables; restore a backup or, for an empty chat, restart the servers"
_REFUSALS: Mapping[type[psycopg.Error], str | None] = {
    psycopg.errors.LockNotAvailable: None,
    psycopg.errors.InsufficientPrivilege: _NO_RIGHT,
    psycopg.errors.InvalidSchemaName: _NO_TABLES,  # both while a backup is being restored
    psycopg.errors.UndefinedTable: _NO_TABLES,
}
"""What to say when the database refuses a statement that it may accept later."""
_REASONS: Mapping[tuple[str, ...], str] = {
    ("password authentication failed", "no password supplied", 'FATAL:  role "'): (
        "the database does not accept the user or password; correct them in its address"
    ),
    ("no pg_hba.conf entry", "pg_hba.conf rejects"): "the database does not let this machine in; add it to pg_hba.conf",
    ("permission denied",): _NO_RIGHT,
    ('FATAL:  database "',): (
        "there is no database of that name on the server; create it with `createdb`, or correct the address"
    ),
    ("failed to resolve", "could not translate host name"): (
        "the database cannot be reached: the name of its host is unknown; correct the address"
    ),
    ("session is read-only", "in hot standby mode"): _NO_WRITES,
    ("too many clients", "remaining connection slots", "too many connections"): (
        "the database has no connections left; raise its max_connections, or run fewer servers"
    ),
    ("Connection refused", "No such file or directory"): (
        "the database cannot be reached: nothing answers at its address; start it, or correct the address"
    ),
}
"""What to say, by what libpq and the server say in English: a connection that is not made has no SQLSTATE."""


@contextmanager
def as_ours(note: Callable[..., None]) -> Iterator[None]:
    """Convert psycopg's exceptions into errors of a storage, whose texts contain no password and no stored text.

    `note` is told whether the database was reached.
    """
    try:
        yield
    except (PoolTimeout, psycopg.InterfaceError) as error:
        note(away=True)
        raise StorageAway from error
    except tuple(_REFUSALS) as error:
        raise StorageAway(_REFUSALS[type(error)], is_refused=True) from error
    except psycopg.errors.IdleInTransactionSessionTimeout as error:
        raise StorageAway from error
    except psycopg.errors.ReadOnlySqlTransaction as error:  # a replica, before or after a failover
        raise StorageAway(_NO_WRITES) from error
    except psycopg.OperationalError as error:
        if error.sqlstate == "53100":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        # Ended by the server, its administrator or a pooler: another connection may work.
        if error.sqlstate is None or error.sqlstate[:2] == "08" or error.sqlstate in _ENDED:
            note(away=True)
            raise StorageAway(_reason(error)) from error
        raise StorageAway(is_refused=True) from error
    except psycopg.Error as error:
        raise OSError(errno.EIO, f"the database refuses it ({error.sqlstate or type(error).__name__})") from error
    else:
        note(away=False)


def _reason(error: psycopg.Error) -> str | None:
    """Why there is no connection; None if that is unknown. Quotes nothing of the error."""
    said = str(error)
    return next((reason for marks, reason in _REASONS.items() if any(mark in said for mark in marks)), None)
