"""Lets a model server's events collect in the socket, so that no thread is woken for each token.

Knows how an HTTP response ends, and nothing about its content.
"""

from __future__ import annotations

import select
import socket
import time

TICK = 0.03
"""Seconds between two checks for the response's end, if the system does not report it."""
PLENTY = 2**13
"""Bytes; with so many there is no point in waiting for more."""
_CLOSED = getattr(select, "POLLRDHUP", 0)


def gather(connection: socket.socket, seconds: float, *, closes: bool) -> None:
    """Wait for so many seconds, at most until the response has ended or the connection is shut down.

    `closes`: the server closes the connection after its response, so that the system reports the end.
    """
    is_reported = closes and bool(_CLOSED)
    closed, end = select.poll(), time.monotonic() + seconds
    closed.register(connection, _CLOSED)
    while (left := end - time.monotonic()) > 0:
        if closed.poll(1000 * (left if is_reported else min(left, TICK))) or not (is_reported or _goes_on(connection)):
            return


def _goes_on(connection: socket.socket) -> bool:
    """Whether the response's end is not among the collected bytes, as far as that can be seen without TLS."""
    try:
        seen = connection.recv(PLENTY, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return 0 < len(seen) < PLENTY and not seen.endswith(b"\r\n0\r\n\r\n") and b"[DONE]" not in seen
