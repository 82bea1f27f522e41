"""Limits on connections and requests, the response to a refused one, and unread data. Knows no application."""

from __future__ import annotations

import fcntl
import resource
import struct
import termios
from copy import copy
from socket import socket

from waitress.parser import HTTPRequestParser
from waitress.task import ErrorTask

LARGE_AT, LARGEST_FORM = "/sessions/import", 64 * 1024 * 1024
"""Paths whose bodies may be as large as the server allows, and the bytes of all others; the application allows less."""


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
        """Answer."""
        self.response_headers.extend(self.channel.server.refusal_headers.items())  # type: ignore[attr-defined]
        super().execute()


def unread(sock: socket | None) -> int:
    """Bytes in the socket's send buffer; 0 if unknown."""
    if sock is None:
        return 0
    try:
        told: int = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
        return told
    except OSError:
        return 0


def most_connections(most: int) -> int:
    """How many connections, up to that many, the process's descriptors allow."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if files == resource.RLIM_INFINITY else min(most, files // 2)
