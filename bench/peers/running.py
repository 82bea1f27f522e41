"""One of the programs while it runs, with all its processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.figures import Wrong
from bench.peers.programs import Program, Start

PATIENCE = 300
_TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class Running:
    """A program from its start to its end. Raises Wrong if no page comes."""

    def __init__(self, program: Program, start: Start) -> None:
        self.url = f"http://127.0.0.1:{start.port}/"
        environment = {**os.environ, **program.variables(start)}
        self.began = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603
            program.command(start),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=start.home,
            start_new_session=True,
        )
        self._wait()
        self.took = time.monotonic() - self.began

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def cpu(self) -> float:
        """Seconds of processor time that its processes have used."""
        fields = [(process / "stat").read_text().rpartition(")")[2].split() for process in self._processes()]
        return sum(int(each[11]) + int(each[12]) for each in fields) / _TICKS

    def resident(self) -> float:
        """MiB of memory that its processes hold, shared memory counted once."""
        texts = [(process / "smaps_rollup").read_text() for process in self._processes()]
        return sum(int(kilobytes) for text in texts for kilobytes in re.findall(r"^Pss:\s+(\d+)", text, re.M)) / 1024

    def _processes(self) -> Iterator[Path]:
        """The processes of its session."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.getsid(int(process.name)) == self._process.pid:
                    yield process
            except ProcessLookupError:
                continue

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(self.url, timeout=PATIENCE):  # noqa: S310
                    return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.02)
        self._end()
        raise Wrong("no page came")

    def _end(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
