"""Limits on connections and requests, the response to a refused one, and unread data. Knows no application."""

from __future__ import annotations

import fcntl
import resource
import struct
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from socket import socket
from typing import Protocol

from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser
from waitress.task import ErrorTask

LARGE_AT, LARGEST_FORM = "/sessions/import", 64 * 1024 * 1024
"""Paths whose bodies may be as large as the server allows, and the limit in bytes of all others; the application's own
limits are lower."""
IDLE_PATIENCE = 60
"""Seconds that a connection may be kept open between two requests."""
LOOK_INTERVAL = 1
"""Seconds between two checks of the connections."""


@dataclass(frozen=True)
class Bounds:
    """The limits on slow connections and on their number."""

    request_patience: float = 30.0
    """Seconds that a request may take to arrive, and one more for each `slowest` bytes of it."""
    slowest: int = 1024
    reader_patience: float = 60.0
    """Seconds over which a reader must take its data at `least_speed` on average, or it is disconnected."""
    least_speed: int = 4096
    """Bytes a second."""
    most_waiting: int = 16
    """Threads that may wait for slow readers in parallel; above this number the longest waiting reader is
    disconnected."""
    most_connections: int = 4000
    """The most connections, and at most half of the process's descriptors: an answer needs up to three."""
    kept_free: int = 50
    """When fewer than this many more connections are possible, the longest idle ones are closed."""

    def connections_now(self) -> int:
        """How many connections the process's descriptors allow, at most `most`."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return self.most_connections if files == resource.RLIM_INFINITY else min(self.most_connections, files // 2)


def adjustments(listening: socket, threads: int, most_connections: int, largest_body: int) -> Adjustments:
    """The settings of waitress."""
    return Adjustments(
        sockets=[listening],
        threads=threads,
        connection_limit=most_connections,
        channel_timeout=IDLE_PATIENCE,
        cleanup_interval=LOOK_INTERVAL,
        max_request_body_size=largest_body,
        # Unread data is kept in memory and on disk: a page's stream needs little.
        outbuf_high_watermark=1024 * 1024,
        # select() ends the process at 1,024 descriptors; poll() does not.
        asyncore_use_poll=True,
        # Without look-ahead a closed browser is noticed only at the next write.
        channel_request_lookahead=5,
        ident=None,
        # The application decides whether X-Forwarded- headers are believed.
        clear_untrusted_proxy_headers=False,
    )


class Request(HTTPRequestParser):
    """A request with a limit on its body by path: a body that is refused later is on the disk until then."""

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the headers. Raises what waitress turns into an error response."""
        super().parse_header(header_plus)
        if not str(self.path).endswith(LARGE_AT):  # type: ignore[attr-defined]
            self.adj = copy(self.adj)
            self.adj.max_request_body_size = min(self.adj.max_request_body_size, LARGEST_FORM)


class Refusal(ErrorTask):
    """The response to a malformed or far too large request, which the application never sees."""

    def execute(self) -> None:
        """Send the response."""
        self.response_headers.extend(self.channel.server.refusal_headers.items())  # type: ignore[attr-defined]
        super().execute()


def unread(sock: socket | None) -> int:
    """Bytes in the socket's send buffer; 0 if unknown."""
    if sock is None:
        return 0
    try:
        size: int = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
        return size
    except OSError:
        return 0


class Waiting(Protocol):
    """A connection whose reader a thread waits for."""

    def let_go(self) -> None:
        """Disconnect the reader."""


class WaitingReaders:
    """The connections whose readers a thread waits for: above the limit the longest waiting one is disconnected."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._connections: dict[Waiting, None] = {}
        """The longest waiting first."""
        self._guard = threading.Lock()

    @contextmanager
    def include(self, connection: Waiting) -> Iterator[None]:
        """For a block, note that a thread waits for this connection."""
        with self._guard:
            self._connections[connection] = None
            if len(self._connections) > self._most:
                longest = next(iter(self._connections))
                del self._connections[longest]
                longest.let_go()
        try:
            yield
        finally:
            with self._guard:
                self._connections.pop(connection, None)
