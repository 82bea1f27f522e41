"""Runs `webchat` commands as forks of one process that has loaded the program.

Loading takes most of a start's time, and a whole run starts hundreds of servers. Only the process list shows the
difference: it has the first process's command line and environment. The interpreter is also that one's.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from tests.processes import ROOT

LARGEST = 2**18
"""The most bytes of a request (arguments and environment); a packet cannot be larger either."""


class Preloaded:
    """The process that loads the program; each `start` is a fork of it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._address = str(Path(self._folder.name) / "socket")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.preloaded", self._address], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def start(self, arguments: Sequence[str], env: Mapping[str, str]) -> ForkedProcess:
        """Run `webchat` with these arguments and this environment."""
        return ForkedProcess(self._address, arguments, env)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()


class ForkedProcess:
    """One command, with the part of subprocess.Popen's interface that the tests use."""

    def __init__(self, address: str, arguments: Sequence[str], env: Mapping[str, str]) -> None:
        self._keeper = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._keeper.connect(address)
        output, errors = os.pipe(), os.pipe()
        request = json.dumps({"arguments": [*arguments], "env": dict(env)}).encode()
        socket.send_fds(self._keeper, [request], [output[1], errors[1]])
        os.close(output[1])
        os.close(errors[1])
        self.stdout: TextIO = os.fdopen(output[0], encoding="utf-8")
        self.stderr: TextIO = os.fdopen(errors[0], encoding="utf-8")
        self.pid = self._told()
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        with suppress(TimeoutError):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait that many seconds at most; returns the exit code, negative for a signal. Raises TimeoutError."""
        if self.returncode is None:
            self._keeper.settimeout(timeout)
            try:
                self.returncode = self._told()
            except BlockingIOError as error:
                raise TimeoutError from error
        return self.returncode

    def _told(self) -> int:
        told = self._keeper.recv(16)
        if not told:
            raise EOFError("the process that keeps this one has died")
        return int(told)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _fork_on_demand(address: str) -> Any:
    """Returns, in each forked process, the program's `main` with its arguments, environment and output."""
    for module in ("app", "serving.server", "backends.mock", "backends.openai.stream", "backends.local"):
        import_module(f"webchat.{module}")
    from webchat.cli import main

    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the keeper process
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)
        while True:
            keeper, _ = listening.accept()
            if os.fork() == 0:
                break
            keeper.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, outputs, *_ = socket.recv_fds(keeper, LARGEST, 2)
    pid = os.fork()
    if pid:
        _keep(pid, keeper, outputs)
    keeper.close()
    _become(json.loads(request), outputs)
    return main


def _keep(pid: int, teller: socket.socket, outputs: list[int]) -> None:
    """Report the process's id and, when it has ended, its exit code. Does not return."""
    for output in (1, 2, *outputs):  # otherwise their reader would wait for this process, too
        os.close(output)
    with suppress(BrokenPipeError):
        teller.sendall(b"%d" % pid)
    _, status = os.waitpid(pid, 0)
    with suppress(BrokenPipeError):
        teller.sendall(b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(request: dict[str, Any], outputs: list[int]) -> None:
    for output, number in zip(outputs, (1, 2), strict=True):
        os.dup2(output, number)
        os.close(output)
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = ["webchat", *request["arguments"]]
    sys.orig_argv[:] = [sys.executable, "-m", *sys.argv]


if __name__ == "__main__":
    _fork_on_demand(sys.argv[1])()
