"""A private PostgreSQL server in a folder, for measurements and tests."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from bench.figures import Skipped, Wrong

QUICK = {"fsync": "off", "full_page_writes": "off", "max_connections": "300", "max_wal_size": "128MB"}
"""For throwaway data, which need not survive a power loss."""
MADE = Path.home() / ".cache" / "webchat-tests"


def programs() -> Path:
    """The folder of PostgreSQL's programs, which Debian does not put into the PATH. Raises Skipped."""
    found = shutil.which("initdb")
    places = (
        [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    )
    if not places:
        raise Skipped("PostgreSQL is not installed")
    return places[0]


def free_port() -> int:
    """A port below those that the system gives out by itself: no other program gets it while its server is away."""
    below = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(below // 2, below)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Cluster:
    """One cluster in a folder of its own. Root runs it as `postgres`: PostgreSQL refuses to run as root."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        """`settings` are PostgreSQL's own, by name."""
        self.folder, self.port = folder, free_port()
        self._settings = {**QUICK, **(settings or {})}
        self._programs = programs()
        self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(folder, "postgres", "postgres")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def create(self) -> None:
        """Copy a cluster that this user has created once, because creating one takes seconds."""
        made = MADE / f"cluster-{self._programs.parent.name}"
        if not made.exists():
            options = ("-U", "webchat", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8")
            self.run("initdb", "-D", str(self.data), *options)
            with suppress(OSError):  # another process may have been faster
                MADE.mkdir(parents=True, exist_ok=True)
                own = made.with_name(f"{made.name}.{os.getpid()}")
                shutil.copytree(self.data, own)
                own.rename(made)
            return
        shutil.copytree(made, self.data)
        if self._as:
            subprocess.run(["chown", "-R", "postgres:postgres", str(self.data)], check=True)  # noqa: S603, S607
        self.data.chmod(0o700)

    def start(self) -> None:
        places = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder}
        options = " ".join(f"-c {name}={value}" for name, value in {**places, **self._settings}.items())
        self.run("pg_ctl", "-D", str(self.data), "-o", options, "-l", str(self.folder / "log"), "-w", "start")

    def stop(self, how: str = "immediate") -> None:
        self.run("pg_ctl", "-D", str(self.data), "-m", how, "-w", "stop")

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs to its end. Raises Wrong."""
        command = [*self._as, f"{self._programs}/{program}", *arguments]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            raise Wrong(f"{program} failed: {done.stdout[-500:]} {done.stderr[-500:]}")

    def admit(self, network: str) -> None:
        """Admit everybody from a network, from the next start on."""
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {network} trust\n")

    def url(self, name: str = "postgres") -> str:
        """The address of one of its databases."""
        return f"postgresql://webchat@127.0.0.1:{self.port}/{name}"

    def signal(self, number: signal.Signals) -> None:
        """Send all of its processes a signal."""
        for process in self._processes():
            with suppress(ProcessLookupError):  # a child may end meanwhile
                os.kill(process, number)

    def cpu(self) -> float:
        """Seconds of processor time that all of its processes have used so far, including those that have exited."""
        times = []
        for process in self._processes():
            with suppress(FileNotFoundError, ProcessLookupError):  # as above
                times.append(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split())
        own = sum(int(fields[11]) + int(fields[12]) for fields in times)
        return (own + int(times[0][13]) + int(times[0][14])) / os.sysconf("SC_CLK_TCK")

    def _processes(self) -> list[int]:
        """The first one, and its children."""
        first = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, children)]


@contextmanager
def cluster(settings: Mapping[str, str] | None = None, admits: str = "") -> Iterator[Cluster]:
    """A running cluster, for a block. `admits` is a network that it admits as well. Raises Skipped."""
    if find_spec("psycopg") is None:
        raise Skipped("psycopg is not installed (webchat[postgres])")
    with folder_of_cluster(settings) as running:
        running.create()
        if admits:
            running.admit(admits)
        running.start()
        yield running


@contextmanager
def folder_of_cluster(settings: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """An empty folder for a cluster, which is stopped and removed after the block."""
    folder = Path(tempfile.mkdtemp(prefix="webchat-postgres-"))
    try:
        made = Cluster(folder, settings)
        yield made
    finally:
        if (folder / "data/postmaster.pid").exists():
            with suppress(Wrong):  # it was killed, and only this file is left
                made.stop()
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove it; processes that are about to exit may still write there."""
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)
