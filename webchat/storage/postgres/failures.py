"""Converts the errors of PostgreSQL, and of the way to it, into those of a storage. Knows no connection."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg_pool import PoolTimeout

from webchat.errors import StorageAway

_ENDED = ("57P01", "57P02", "57P03", "57P05", "53300")
"""SQLSTATEs of connections that the server has ended or refuses."""


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
    except psycopg.errors.LockNotAvailable as error:
        raise StorageAway(is_refused=True) from error
    except psycopg.errors.IdleInTransactionSessionTimeout as error:
        raise StorageAway from error
    except psycopg.errors.ReadOnlySqlTransaction as error:  # a replica, before or after a failover
        raise StorageAway from error
    except psycopg.OperationalError as error:
        if error.sqlstate == "53100":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        # Ended by the server, its administrator or a pooler: another connection may work.
        if error.sqlstate is None or error.sqlstate[:2] == "08" or error.sqlstate in _ENDED:
            note(away=True)
            raise StorageAway from error
        raise StorageAway(is_refused=True) from error
    except psycopg.Error as error:
        raise OSError(errno.EIO, f"the database refuses it ({error.sqlstate or type(error).__name__})") from error
    else:
        note(away=False)
