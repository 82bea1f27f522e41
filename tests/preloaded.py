"""Runs `webchat` commands as forks of one process that has loaded the program.

Loading takes most of a start's time, and a whole run starts hundreds of servers. Only the process list shows the
difference: it has the first process's command line and environment. The interpreter is also that one's.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

from werkzeug.routing import Rule

from tests.routes import compiled_once

ROOT = Path(__file__).parent.parent
LOADED = (
    "tests.scripted",
    "webchat.app",
    "webchat.backends.local",
    "webchat.backends.mock",
    "webchat.backends.openai.stream",
    "webchat.serving.server",
    "webchat.storage.files",
    "webchat.storage.temporary",
    "webchat.terminal.places",
)
LARGEST = 2**18
"""The most bytes of a request (arguments and environment); a packet cannot be larger either."""


class Preloaded:
    """The process that loads the program; each `start` is a fork of it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._address = str(Path(self._folder.name) / "socket")
        env = {name: value for name, value in os.environ.items() if not name.startswith("WEBCHAT_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.preloaded", self._address], cwd=ROOT, env=env, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        told = self._process.stdout.readline()
        if told != b"ready\n":  # its traceback is among the errors of this process
            self.close()
            raise RuntimeError(
                f"the process that loads the program said {told!r}, with status {self._process.returncode}"
            )

    def start(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str],
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> ForkedProcess:
        """Run `webchat` with these arguments and this environment.

        By default it has nothing to read, and pipes for its output and its errors. If `stdin` is a terminal, it becomes
        the process's own.
        """
        request = {"arguments": [*arguments], "env": dict(env)}
        return ForkedProcess(self._address, request, (stdin, stdout, stderr))

    def run(self, code: str, arguments: Sequence[str]) -> ForkedProcess:
        """Run this code, with pipes for its input, its output, which is not buffered, and its errors."""
        request = {"arguments": [*arguments], "env": dict(os.environ), "code": code}
        reader, writer = os.pipe()
        process = ForkedProcess(self._address, request, (reader, None, None))
        os.close(reader)
        process.stdin = os.fdopen(writer, "w", encoding="utf-8")
        return process

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()


class _Shared:
    """The one of this process, from when it is needed first."""

    def __init__(self) -> None:
        self._made: Preloaded | None = None

    def get(self) -> Preloaded:
        self._made = self._made or Preloaded()
        return self._made

    def close(self) -> None:
        if self._made:
            self._made.close()
            self._made = None


SHARED = _Shared()


class ForkedProcess:
    """One command or code, with the part of subprocess.Popen's interface that the tests use."""

    def __init__(
        self,
        address: str,
        request: Mapping[str, Any],
        files: tuple[int | None, int | None, int | None],
    ) -> None:
        self._keeper = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._keeper.connect(address)
        stdin, stdout, stderr = files
        given = os.open(os.devnull, os.O_RDONLY) if stdin is None else os.dup(stdin)
        self.stdout, output = self._read_from() if stdout is None else (None, os.dup(stdout))
        self.stderr, errors = self._read_from() if stderr is None else (None, os.dup(stderr))
        self.stdin: TextIO | None = None
        socket.send_fds(self._keeper, [json.dumps(request).encode()], [given, output, errors])
        for number in (given, output, errors):
            os.close(number)
        self.pid = self._told()
        self.returncode: int | None = None

    @staticmethod
    def _read_from() -> tuple[TextIO, int]:
        """A new pipe: its end for reading, as a file, and its end for writing."""
        reader, writer = os.pipe()
        return os.fdopen(reader, encoding="utf-8"), writer

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

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; returns what it has printed and its errors. Raises TimeoutError."""
        assert self.stdout is not None
        assert self.stderr is not None
        if self.stdin is not None:
            self.stdin.close()
        with ThreadPoolExecutor(1) as pool:
            errors = pool.submit(self.stderr.read)
            output = self.stdout.read()
            self.wait(timeout)
            return output, errors.result(timeout)

    def _told(self) -> int:
        told = self._keeper.recv(16)
        if not told:
            raise EOFError("the process that keeps this one has died")
        return int(told)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended, and its keeper has not yet said so
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _fork_on_demand(address: str) -> Callable[[], None]:
    """Returns, in each forked process, what that runs: the program's `main`, or code."""
    main = _load()
    gc.collect()
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
    request, files, *_ = socket.recv_fds(keeper, LARGEST, 3)
    pid = os.fork()
    if pid:
        _keep(pid, keeper, files)
    keeper.close()
    told = json.loads(request)
    _become(told, files)
    return partial(_execute, told["code"]) if "code" in told else main


def _load() -> Callable[[], None]:
    """The program's `main`, with all that each process would otherwise load and compile again."""
    for module in LOADED:
        import_module(module)
    with suppress(ModuleNotFoundError):  # what only a terminal needs may not be installed
        import_module("webchat.terminal.conversation")
    from webchat.app import create_app
    from webchat.backends.mock import MockBackend
    from webchat.cli import main
    from webchat.web.templates import environment

    for template in environment().list_templates():
        environment().get_template(template)
    Rule._compile_builder = compiled_once()  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        create_app({"AMPLIFIER_HOME": folder}, backend=MockBackend()).extensions["webchat"].close()
    assert threading.active_count() == 1, "a fork has only the thread that forks"
    return main


def _keep(pid: int, teller: socket.socket, files: list[int]) -> None:
    """Report the process's id and, when it has ended, its exit code. Does not return."""
    for file in (0, 1, 2, *files):  # otherwise their reader would wait for this process, too
        os.close(file)
    with suppress(BrokenPipeError):
        teller.sendall(b"%d" % pid)
    _, status = os.waitpid(pid, 0)
    with suppress(BrokenPipeError):
        teller.sendall(b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(request: dict[str, Any], files: list[int]) -> None:
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background processes ignore it
    if os.isatty(0):
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY)
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = ["webchat", *request["arguments"]]
    sys.orig_argv[:] = [sys.executable, "-m", *sys.argv]


def _execute(code: str) -> None:
    """Run code as `python -uc` does."""
    sys.argv[0] = "-c"
    sys.stdout.reconfigure(write_through=True)
    sys.modules["__main__"] = ModuleType("__main__")
    exec(compile(code, "<string>", "exec"), vars(sys.modules["__main__"]))


def _leave_at_once(codes: Sequence[int]) -> None:
    """End the process with the last of these exit codes, if there is one, without freeing all that it had loaded."""
    if codes:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(codes[-1])


if __name__ == "__main__":
    codes: list[int] = []
    atexit.register(_leave_at_once, codes)  # the first one: it is called after all that the program registers
    run = _fork_on_demand(sys.argv[1])
    try:
        run()
        codes.append(0)
    except SystemExit as ended:
        if isinstance(ended.code, int):
            codes.append(ended.code)
        raise
