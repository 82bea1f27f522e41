"""JSON-RPC with an agent's process: one object per line over standard input and output. Knows no session."""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol

from webchat import threads
from webchat.backends.acp.problems import AgentError, secrets_of, without_keys
from webchat.errors import BackendUnavailable, NoThreads

log = logging.getLogger(__name__)
GUARD = str(Path(__file__).with_name("guard.py"))
LONGEST_LINE = 50 * 2**20
"""Bytes; a longer line is skipped."""
LOGGED_LINE = 2_000
MOST_REPLIES = 1_000
"""Replies waiting to be written; if an agent sends requests without reading our replies, further ones are dropped."""
METHOD_NOT_FOUND = -32601
LAST_WORDS_PATIENCE = 2.0
"""Seconds to wait for the last output of an ended agent, for the log: a child of it may still hold the pipe."""
ENDED = "The agent exited unexpectedly. Send the message again to restart it."
Done = Callable[["Future[Any]"], object]


class Receiver(Protocol):
    """Receives the agent's requests and notifications, one at a time, in the reading thread."""

    def asked(self, request_id: Any, method: str, params: Mapping[str, Any]) -> bool:  # noqa: ANN401
        """A request, to be answered with `reply`, now or later. Returns False if there is no such method."""

    def notified(self, method: str, params: Mapping[str, Any]) -> None:
        """A notification."""

    def ended(self) -> None:
        """The process has ended, or is about to."""


class Wire:
    """A running agent's process. Its output is read once `start` is called. Raises OSError if it cannot be run.

    The agent runs in a process group of its own, which ends when our process does, in whatever way.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], receiver: Receiver) -> None:
        self._receiver = receiver
        self._secrets = secrets_of(command, environ)
        self._pending: dict[int, Future[Any]] = {}
        self._last_id = 0
        self._state_lock = threading.Lock()
        self.is_over = self._is_unwanted = self._has_failed = False
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._printed: deque[str] = deque(maxlen=1)
        self._has_printed_all = threading.Event()
        self._process, self._lifeline = _spawn(command, environ)

    def start(self) -> None:
        """Start the threads that read and write. Raises NoThreads, after ending the process."""
        try:
            threads.start(self._listen, "agent-stderr", self._process.stderr)
            threads.start(self._write, "agent-writer", self._process.stdin)
            threads.start(self._read, "agent-reader", self._process.stdout)
        except NoThreads:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """The id of the guard's process."""
        return self._process.pid

    def request(self, method: str, params: Mapping[str, Any], done: Done | None = None) -> Future[Any]:
        """Send a request. The future gets the result, an AgentError, or BackendUnavailable if the process ends first.

        `done` is called with the future in the reading thread, before anything that the agent sends later is processed.
        """
        future: Future[Any] = Future()
        if done:
            future.add_done_callback(done)
        with self._state_lock:
            is_over = self.is_over
            self._last_id = request_id = self._last_id + 1
            if not is_over:
                self._pending[request_id] = future
        if is_over:
            future.set_exception(BackendUnavailable(ENDED))
        else:
            self._send({"id": request_id, "method": method, "params": params})
        return future

    def notify(self, method: str, params: Mapping[str, Any]) -> None:
        self._send({"method": method, "params": params})

    def reply(self, request_id: Any, result: Mapping[str, Any]) -> None:  # noqa: ANN401
        self._reply({"id": request_id, "result": result})

    def end(self) -> None:
        """End the process; returns at once. All open requests fail."""
        with self._state_lock:
            lifeline, self._lifeline = self._lifeline, -1
            self._is_unwanted = self._is_unwanted or not self.is_over
        self._outgoing.put(None)
        if lifeline >= 0:
            os.close(lifeline)
        self._fail_all()

    def _reply(self, message: Mapping[str, Any]) -> None:
        if self._outgoing.qsize() < MOST_REPLIES:
            self._send(message)

    def _send(self, message: Mapping[str, Any]) -> None:
        if not self.is_over:
            self._outgoing.put(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def _write(self, stdin: IO[bytes]) -> None:
        with suppress(OSError):  # the process has ended; the reading thread notices that, too
            with stdin:
                while (line := self._outgoing.get()) is not None:
                    stdin.write(line)
                    if self._outgoing.empty():
                        stdin.flush()

    def _listen(self, stderr: IO[bytes]) -> None:
        with stderr:
            while line := stderr.readline(LOGGED_LINE):
                if line.strip():
                    self._printed.append(line.decode("utf-8", "replace").strip())
        self._has_printed_all.set()

    def _read(self, stdout: IO[bytes]) -> None:
        with stdout:
            while line := _line(stdout):
                self._take(line)
        was_wanted = not self._is_unwanted
        self._fail_all()
        self.end()
        status = self._process.wait()
        if was_wanted:
            self._has_printed_all.wait(LAST_WORDS_PATIENCE)
            last_words = without_keys("".join(self._printed), self._secrets)
            log.warning("the agent exited with %s; its last output: %s", status, last_words or "none")

    def _fail_all(self) -> None:
        with self._state_lock:
            was_over, self.is_over = self.is_over, True
            pending, self._pending = self._pending, {}
        for future in pending.values():
            future.set_exception(BackendUnavailable(ENDED))
        if not was_over:
            self._receiver.ended()

    def _take(self, line: bytes) -> None:
        """Process one line; a bad one is logged, and reading goes on."""
        try:
            message = json.loads(line.decode("utf-8", "replace"))
            if isinstance(message, dict):
                self._sort(message)
        except (ValueError, RecursionError):
            log.debug("the agent sent a line that is not a message")
        except Exception:
            log.log(logging.DEBUG if self._has_failed else logging.ERROR, "an agent's message failed", exc_info=True)
            self._has_failed = True

    def _sort(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params")
        params = params if isinstance(params, dict) else {}
        if not isinstance(method, str):
            self._answered(message)
        elif "id" not in message:
            self._receiver.notified(method, params)
        elif not self._receiver.asked(message["id"], method, params):
            error = {"code": METHOD_NOT_FOUND, "message": "Method not found"}
            self._reply({"id": message["id"], "error": error})

    def _answered(self, message: dict[str, Any]) -> None:
        request_id, error = message.get("id"), message.get("error")
        if type(request_id) is not int:
            return
        with self._state_lock:
            future = self._pending.pop(request_id, None)
        if future is None:
            return
        if error is not None:
            future.set_exception(AgentError(error))
        else:
            future.set_result(message.get("result"))


def _spawn(command: Sequence[str], environ: Mapping[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    """The guard's process, and the descriptor that ends it when it is closed."""
    watched, lifeline = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", GUARD, str(watched), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            pass_fds=(watched,),
            bufsize=2**16,
            start_new_session=True,  # Ctrl-C in the terminal is for the chat, which then ends the agent
        )
    except BaseException:
        os.close(lifeline)
        raise
    finally:
        os.close(watched)
    return process, lifeline


def _line(stdout: IO[bytes]) -> bytes:
    """The next line; a blank one in place of a line that is too long, b"" at the end."""
    line = stdout.readline(LONGEST_LINE)
    if len(line) < LONGEST_LINE or line.endswith(b"\n"):
        return line
    log.warning("the agent sent a line of more than %d MiB, which is ignored", LONGEST_LINE // 2**20)
    while line and not line.endswith(b"\n"):
        line = stdout.readline(2**20)
    return b"\n"
