"""waitress, less patient: connections that hold others up are let go. Knows no application."""

from __future__ import annotations

import time
from socket import socket
from typing import Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

REQUEST_PATIENCE = 30.0
"""Seconds that a request may take to arrive, and one more for each `SLOWEST` bytes of it."""
SLOWEST = 1024
READER_PATIENCE = 60.0
"""Seconds that a reader may take nothing of what waits for it."""
IDLE_PATIENCE = 60
"""Seconds that a connection may be kept open between two requests."""
LOOK_INTERVAL = 1
"""Seconds between two looks at the connections."""
MOST_CONNECTIONS = 1000
KEPT_FREE = 50
"""Connections below that number from which on the longest idle ones make room for others."""


class Connection(HTTPChannel):
    """One connection, which knows for how long it has held somebody up."""

    _request_began: float | None = None

    def received(self, data: bytes) -> bool:
        """Take in what came of a request."""
        taken: bool = super().received(data)
        if self.request is None:
            self._request_began = None
        elif self._request_began is None:
            self._request_began = time.time()
        return taken

    def holds_up(self, now: float) -> bool:
        """Whether its request does not get on, or its reader takes nothing of what waits for it."""
        request, began = self.request, self._request_began
        if request is not None and began is not None:
            arrived = request.header_bytes_received + request.body_bytes_received
            if now - began > REQUEST_PATIENCE + arrived / SLOWEST:
                return True
        return bool(self.total_outbufs_len) and now - self.last_activity > READER_PATIENCE

    @property
    def is_idle(self) -> bool:
        """Whether nothing that it asked for is being done."""
        return not self.requests and not self.total_outbufs_len


class Server(TcpWSGIServer):
    """A server on a socket that listens already. Above 950 connections idle ones make room for new ones."""

    channel_class = Connection

    def __init__(self, application: Any, listening: socket, threads: int, largest_body: int) -> None:  # noqa: ANN401
        settings = Adjustments(
            sockets=[listening],
            threads=threads,
            connection_limit=MOST_CONNECTIONS,
            channel_timeout=IDLE_PATIENCE,
            cleanup_interval=LOOK_INTERVAL,
            max_request_body_size=largest_body,
            # What waits for a reader that does not read is kept in memory and on disk: a page's stream needs little.
            outbuf_high_watermark=1024 * 1024,
            # select() ends the process at 1,024 descriptors; poll() does not.
            asyncore_use_poll=True,
            # Without a look-ahead a closed browser is noticed only when something is written to it.
            channel_request_lookahead=5,
            ident=None,
            # Whether X-Forwarded- headers are believed is the application's to decide.
            clear_untrusted_proxy_headers=False,
        )
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(threads)
        where = (listening.family, listening.type, listening.proto, listening.getsockname())
        super().__init__(
            application,
            _sock=listening,
            dispatcher=dispatcher,
            adj=settings,
            bind_socket=False,
            sockinfo=where,
        )

    def maintenance(self, now: int) -> None:
        """Let go of who holds others up, and of who has been idle for long."""
        super().maintenance(now)
        connections: list[Connection] = [*self.active_channels.values()]  # type: ignore[attr-defined]  # a dict
        for connection in connections:
            if connection.holds_up(now):
                connection.handle_close()
        self._make_room([connection for connection in connections if connection.connected])

    def _make_room(self, connections: list[Connection]) -> None:
        too_many = len(connections) - (MOST_CONNECTIONS - KEPT_FREE)
        if too_many > 0:
            idle = sorted((one for one in connections if one.is_idle), key=lambda one: float(one.last_activity))
            for connection in idle[:too_many]:
                connection.handle_close()
