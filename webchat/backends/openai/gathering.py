"""Batches a model server's events in the socket, so that no thread is woken for each token.

Knows how an HTTP answer ends, and nothing of what is in it.
"""

from __future__ import annotations

import select
import socket
import time

TICK = 0.03
"""Seconds between two looks for an answer's end, if nothing else tells of it."""
PLENTY = 2**13
"""Bytes that need not gather any more."""
_CLOSED = getattr(select, "POLLRDHUP", 0)


def gather(connection: socket.socket, seconds: float, *, closes: bool) -> None:
    """Wait that long, at most until the answer has ended or the connection is shut down.

    `closes`: the server closes the connection after its answer, so that the system tells of the end.
    """
    told = closes and bool(_CLOSED)
    closed, end = select.poll(), time.monotonic() + seconds
    closed.register(connection, _CLOSED)
    while (left := end - time.monotonic()) > 0:
        if closed.poll(1000 * (left if told else min(left, TICK))) or not (told or _goes_on(connection)):
            return


def _goes_on(connection: socket.socket) -> bool:
    """Whether what has gathered does not hold the answer's end, as far as can be seen from outside of TLS."""
    try:
        seen = connection.recv(PLENTY, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return 0 < len(seen) < PLENTY and not seen.endswith(b"\r\n0\r\n\r\n") and b"[DONE]" not in seen
