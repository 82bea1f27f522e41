"""A PostgreSQL server of the tests' own, and a database for each test. Skips in words where it is not installed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from bench.figures import Skipped
from bench.postgres import Cluster as Server
from bench.postgres import cluster
from bench.postgres import free_port as free_port


@contextmanager
def server(settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A cluster that is running, for a block."""
    try:
        with cluster(settings) as running:
            yield running
    except Skipped as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One for all tests of a process."""
    with server() as running:
        import psycopg

        from webchat.storage.postgres.schema import migrate

        # Each test gets a copy of a database that has the tables.
        with psycopg.connect(running.url(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE made")
        with psycopg.connect(running.url("made"), autocommit=True) as connection:
            migrate(connection)
        yield running


@pytest.fixture
def database(postgres: Server) -> str:
    """The address of a database of the test's own, with tables and nothing in them."""
    import psycopg

    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE made")
    return postgres.url(name)
