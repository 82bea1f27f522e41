"""Lets what model servers send gather in the sockets, so that no thread is woken for each token.

One thread looks at the sockets of all answers. It knows how an HTTP answer ends, and nothing of what is in it.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from dataclasses import dataclass, field

from webchat import threads
from webchat.errors import NoThreads

TICK = 0.03
"""Seconds between two looks: gatherings that are due together end together."""
IDLE = 1.0
"""Seconds without a gathering after which the thread ends."""
PLENTY = 2**13
"""Bytes that need not gather any more."""
_ENDS = getattr(select, "POLLRDHUP", 0)
_GONE = _ENDS | select.POLLHUP | select.POLLERR | select.POLLNVAL


@dataclass
class _Gathering:
    """`closes`: the server closes the connection behind the answer, so there is no need to look for its end."""

    connection: socket.socket
    due: float
    closes: bool
    over: threading.Lock = field(default_factory=threading.Lock)


class Gatherer:
    """Any number of threads may let something gather at once."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._gatherings: dict[int, _Gathering] = {}
        self._wanted = threading.Event()
        self._running = False
        self._seen = bytearray(PLENTY)

    def gather(self, connection: socket.socket, seconds: float, *, closes: bool) -> None:
        """Wait that long, to the next look; at most until the answer has ended or the connection is shut down."""
        gathering = _Gathering(connection, time.monotonic() + seconds, closes and bool(_ENDS))
        gathering.over.acquire()
        number = connection.fileno()
        try:
            self._add(number, gathering)
        except NoThreads:  # nothing gathers
            return
        gathering.over.acquire(timeout=2 * seconds + TICK)
        with self._guard:
            self._gatherings.pop(number, None)

    def _add(self, number: int, gathering: _Gathering) -> None:
        with self._guard:
            if not self._running:
                threads.start(self._watch, "gathering")
                self._running = True
            self._gatherings[number] = gathering
            self._wanted.set()

    def _watch(self) -> None:
        while True:
            with self._guard:
                gatherings = list(self._gatherings.items())
                if not gatherings:
                    self._wanted.clear()
            if gatherings:
                self._look(dict(gatherings))
            elif not self._wanted.wait(IDLE):
                with self._guard:
                    if not self._gatherings:
                        self._running = False
                        return

    def _look(self, gatherings: dict[int, _Gathering]) -> None:
        """Wait for one tick, or for the first of these that ends, and end those that are to end."""
        poll = select.poll()
        for number in gatherings:
            poll.register(number, _ENDS)
        now = time.monotonic()
        ended = {number for number, what in poll.poll((TICK - now % TICK) * 1000) if what & _GONE}
        now = time.monotonic()
        over = [
            number
            for number, gathering in gatherings.items()
            if number in ended or gathering.due <= now or not (gathering.closes or self._goes_on(gathering.connection))
        ]
        with self._guard:
            for number in over:
                if self._gatherings.get(number) is gatherings[number]:
                    self._gatherings.pop(number).over.release()

    def _goes_on(self, connection: socket.socket) -> bool:
        """Whether what has gathered has no end in it, as far as can be seen from outside of TLS."""
        try:
            size = connection.recv_into(self._seen, 0, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        has_end = self._seen.endswith(b"\r\n0\r\n\r\n", 0, size) or self._seen.rfind(b"[DONE]", 0, size) >= 0
        return 0 < size < PLENTY and not has_end
