"""A PostgreSQL server for the tests, and a database for each test. Skips with a reason if it is not installed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import pytest

from bench.figures import Skipped
from bench.postgres import Cluster as Server
from bench.postgres import cluster, folder_of_cluster
from bench.postgres import free_port as free_port

MANY = 20


@contextmanager
def server(settings: Mapping[str, str] | None = None, admits: str = "") -> Iterator[Server]:
    """A running cluster, for a block. `admits` is a network that it admits as well."""
    try:
        with cluster(settings, admits) as running:
            yield running
    except Skipped as reason:
        pytest.skip(str(reason))


@contextmanager
def replica_of(primary: Server) -> Iterator[Server]:
    """A streaming replica, for a block. Every commit of the primary waits for it."""
    with folder_of_cluster() as replica:
        replica.run("pg_basebackup", "-d", primary.url(), "-D", str(replica.data), "-R", "--checkpoint=fast")
        replica.start()
        execute(primary, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        execute(primary, "SELECT pg_reload_conf()")
        while not execute(primary, "SELECT sync_state FROM pg_stat_replication WHERE sync_state = 'sync'"):
            time.sleep(0.05)
        yield replica


def execute(running: Server, statement: str) -> list[tuple[object, ...]]:
    """Run one statement; returns its rows."""
    import psycopg

    with psycopg.connect(running.url(), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One cluster for all tests of a process."""
    with server() as running:
        import psycopg

        from webchat.storage.postgres.schema import migrate

        # Each test gets a copy of a database with the tables.
        with psycopg.connect(running.url(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE made")
        with psycopg.connect(running.url("made"), autocommit=True) as connection:
            migrate(connection)
        yield running


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """The address of a database for this test, with empty tables."""
    yield database_in(postgres)
    _remove_many(postgres)


def database_in(running: Server) -> str:
    """The address of a new one."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    execute(running, f"CREATE DATABASE {name} TEMPLATE made")
    return running.url(name)


def as_if_silent(database: str) -> None:
    """Make every server's heartbeat old, as if the servers had been suspended, or killed a while ago."""
    import psycopg

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE webchat.servers SET seen = seen - interval '8 seconds'")


def _remove_many(running: Server) -> None:
    """Remove the databases that nobody is connected to, once there are many: each takes 8 MiB, in memory if it can."""
    import psycopg

    names = execute(
        running,
        "SELECT datname FROM pg_database WHERE starts_with(datname, 'test_')"
        " AND NOT EXISTS (SELECT FROM pg_stat_activity AS active WHERE active.datname = pg_database.datname)",
    )
    for (name,) in names if len(names) >= MANY else ():
        with suppress(psycopg.errors.ObjectInUse):
            execute(running, f"DROP DATABASE {name}")
