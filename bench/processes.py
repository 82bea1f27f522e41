"""The measured servers, each in a process of its own, and the system's figures for them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import IO, Self

from bench.figures import Wrong

ROOT = Path(__file__).parent.parent
_TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A program that prints its address and serves until it is terminated."""

    def __init__(self, module: str, *options: str, log: IO[bytes] | None = None, root: Path = ROOT) -> None:
        """Its standard error goes to `log`, or else to the terminal. `root` has the sources."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WEBCHAT_")}
        self.started = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", module, *options],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
            cwd=root,
        )
        self.url = self._address()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        _stdout(self.process).close()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def cpu(self) -> float:
        """Seconds of processor time that the process has used so far, in all its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident(self) -> float:
        """MiB of memory that the process holds now."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        found = re.search(r"^Rss:\s+(\d+) kB", text, re.MULTILINE)
        assert found is not None  # noqa: S101
        return int(found[1]) / 1024

    def read(self) -> int:
        """Bytes that the process has read so far, of files and otherwise."""
        found = re.search(r"^rchar: (\d+)", Path(f"/proc/{self.process.pid}/io").read_text(), re.MULTILINE)
        assert found is not None  # noqa: S101
        return int(found[1])

    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def descriptors(self) -> int:
        """The number of its open files and sockets."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _address(self) -> str:
        for line in _stdout(self.process):
            if found := re.search(r"http://[\d.]+:\d+", line):
                return found[0]
        raise Wrong("a server ended before it printed its address")


def _stdout(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None  # noqa: S101
    return process.stdout


@contextmanager
def home() -> Iterator[Path]:
    """A folder for the chat's files of one measurement."""
    with TemporaryDirectory(prefix="webchat-bench-") as folder:
        yield Path(folder)


def chat(folder: Path, *options: str, backend: str = "mock", root: Path = ROOT) -> Server:
    """The installed chat; the mock answers without delay unless the options say otherwise."""
    at_once = ("--mock-delay", "0") if backend == "mock" and "--mock-delay" not in options else ()
    return Server(
        "webchat",
        "serve",
        "--home",
        str(folder),
        "--port",
        "0",
        "--backend",
        backend,
        "--log-level",
        "warning",  # a line for each request would bury the figures
        "--titles",
        "off",
        *at_once,
        # No sessions of other programs on this machine; earlier states do not know the option.
        *(("--sources", "off") if "--sources" not in options and root == ROOT else ()),
        *options,
        root=root,
    )


def paced_chat(folder: Path, database: str = "") -> Server:
    """The chat over a backend that keeps a pace and stamps each piece with its due time; with files, or a database."""
    return Server("bench.paced", str(folder), database)


def bare_page(model: Server) -> Server:
    """A Flask page that only streams a model server's answer, on the same web server as the chat."""
    return Server("bench.bare", str(model.port))


def fake_model(tokens: int, delay: float) -> Server:
    """An OpenAI-compatible server; its answers have that many tokens, `delay` seconds apart."""
    return Server("bench.fake_model", str(tokens), str(delay))


def writing_model() -> Server:
    """The same, with the requested answers: "essay 2000 at 50" for 2000 words, 50 a second."""
    return Server("bench.fake_model")
