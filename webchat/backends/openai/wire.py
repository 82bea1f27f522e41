"""The connections of one answer, which another thread may cut. Knows no request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import httpx

from webchat.backends.openai.chunks import ChunkJoiner
from webchat.backends.openai.gathering import gather


class Wire:
    """The connections of one answer; `cut` from any thread frees a reader that waits for the server.

    Closing a response from another thread waits for the reader; shutting its socket down does not. The socket is taken
    when it is connected, not from the response: a server may be silent before its headers, too. It is duplicated, so
    that it does not matter if httpx wraps it in TLS or closes it.
    """

    def __init__(self) -> None:
        self._cut = threading.Event()
        self._has_gathered = False
        """Whether `gather` has waited, so that there is something to read."""
        self._sockets: list[socket.socket] = []
        self._sockets_lock = threading.Lock()

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """For httpx's `trace` extension, which reports each step of a request."""
        if name == "connection.connect_tcp.complete":
            connected = info["return_value"].get_extra_info("socket").dup()
            connected.settimeout(0)  # a duplicate inherits the timeout of the original
            self._add(connected)
            _join_chunks(info["return_value"], self._gathered)
        if name in ("connection.start_tls.complete", "proxy.start_tls.complete"):
            _join_chunks(info["return_value"], lambda max_bytes: None)

    @property
    def is_cut(self) -> bool:
        return self._cut.is_set()

    def pause(self, seconds: float) -> None:
        """Wait, at most until the wire is cut."""
        self._cut.wait(seconds)

    def gather(self, seconds: float, *, closes: bool) -> None:
        """Let the server's events collect in the socket, at most until the wire is cut."""
        if self._sockets and not self.is_cut:
            gather(self._sockets[-1], seconds, closes=closes)
            self._has_gathered = True

    def _gathered(self, max_bytes: int) -> bytes | None:
        """What has collected in a socket without TLS, b"" at the end; None if nothing has.

        Reading a socket with a timeout in the usual way takes three system calls. Raises httpx.ReadError.
        """
        if not (self._has_gathered and self._sockets):
            return None
        self._has_gathered = False
        try:
            return self._sockets[-1].recv(max_bytes)
        except BlockingIOError:
            return None
        except OSError as error:
            raise httpx.ReadError(str(error)) from error

    def cut(self) -> None:
        with self._sockets_lock:
            self._cut.set()
            for connected in self._sockets:
                _shut(connected)

    def release(self) -> None:
        with self._sockets_lock:
            while self._sockets:
                self._sockets.pop().close()

    def _add(self, connected: socket.socket) -> None:
        with self._sockets_lock:
            self._sockets.append(connected)
            if self.is_cut:
                _shut(connected)


def _join_chunks(stream: Any, gathered: Callable[[int], bytes | None]) -> None:  # noqa: ANN401  (one of httpcore's)
    """Make the connection's reads return fewer chunks; bytes that have `gathered` are read without waiting."""
    read_some, joiner = stream.read, ChunkJoiner()

    def read(max_bytes: int, timeout: float | None = None) -> bytes:
        while True:
            data = gathered(max_bytes)
            if data is None:
                data = read_some(max_bytes, timeout)
            joined = joiner.feed(data)
            if joined or not data:
                return joined

    stream.read = read


def _shut(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
