"""A PostgreSQL server of the tests' own, and a database for each test. Skips in words where it is not installed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

FOUND = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
QUICK = {"fsync": "off", "full_page_writes": "off", "max_connections": "300"}


def programs() -> Path | None:
    """The folder of PostgreSQL's programs."""
    found = shutil.which("initdb")
    return Path(found).parent if found else next(iter(FOUND), None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One cluster in a folder of its own. Where the tests run as root it runs as `postgres`, as it insists on."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        self.folder, self.port, self.settings = folder, free_port(), QUICK | (settings or {})
        self._bin = programs()
        self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(folder, "postgres", "postgres")

    def create(self) -> None:
        """Copy a cluster that was made once on this machine: making one takes seconds."""
        made = Path(tempfile.gettempdir()) / f"webchat-initdb-{os.geteuid()}-{self._bin.parent.name}"
        if not made.exists():
            self._make()
            with suppress(OSError):  # another process may have been quicker
                shutil.copytree(self.folder / "data", own := made.with_name(f"{made.name}.{os.getpid()}"))
                own.rename(made)
            return
        subprocess.run(["cp", "-r", str(made), str(self.folder / "data")], check=True)
        if self._as:
            subprocess.run(["chown", "-R", "postgres:postgres", str(self.folder / "data")], check=True)
        (self.folder / "data").chmod(0o700)

    def _make(self) -> None:
        self.run("initdb", "-D", str(self.folder / "data"), "-U", "webchat", "-A", "trust", "-E", "UTF8", "--no-sync",
                 "--locale=C.UTF-8")  # fmt: skip

    def start(self) -> None:
        settings = self.settings | {"port": str(self.port), "listen_addresses": "127.0.0.1",
                                    "unix_socket_directories": str(self.folder)}  # fmt: skip
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self.run(
            "pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", str(self.folder / "log"), "-w", "start"
        )

    def stop(self, how: str = "immediate") -> None:
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", how, "-w", "stop")

    def run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self._as, f"{self._bin}/{program}", *arguments], cwd="/", capture_output=True, text=True
        )
        assert done.returncode == 0, (program, done.stdout[-500:], done.stderr[-500:])

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://webchat@127.0.0.1:{self.port}/{name}"

    def signal(self, number: signal.Signals) -> None:
        """Send all of its processes a signal."""
        first = int((self.folder / "data/postmaster.pid").read_text().split()[0])
        children = subprocess.run(["pgrep", "-P", str(first)], capture_output=True, text=True).stdout.split()
        for process in (first, *map(int, children)):
            os.kill(process, number)


@contextmanager
def server(settings: dict[str, str] | None = None) -> Iterator[Server]:
    """A cluster that is running, for a block."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (webchat[postgres])")
    if programs() is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="webchat-postgres-"))
    running = Server(folder, settings)
    try:
        running.create()
        running.start()
        yield running
    finally:
        if (folder / "data/postmaster.pid").exists():
            running.stop()
        for _ in range(50):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(0.1)


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
