"""waitress, less patient: connections that hold others up are let go. Knows no application."""

from __future__ import annotations

import time
from collections.abc import Mapping
from copy import copy
from socket import socket
from typing import Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher

REQUEST_PATIENCE = 30.0
"""Seconds that a request may take to arrive, and one more for each `SLOWEST` bytes of it."""
SLOWEST = 1024
READER_PATIENCE = 60.0
"""Seconds that a reader may take nothing of what waits for it."""
IDLE_PATIENCE = 60
"""Seconds that a connection may be kept open between two requests."""
LARGE_AT, LARGEST_FORM = "/sessions/import", 64 * 1024 * 1024
"""Where a body may be as large as the server takes, and bytes of all others; the application itself takes less."""
MOST_AHEAD = 10
"""Requests that may wait on one connection for the one before: no browser sends any, and each may want a thread."""
LOOK_INTERVAL = 1
"""Seconds between two looks at the connections."""
MOST_CONNECTIONS = 1000
KEPT_FREE = 50
"""Connections below that number from which on the longest idle ones make room for others."""


class Request(HTTPRequestParser):
    """A request whose body may be large only where it has to be: what is refused later lies on the disk until then."""

    def parse_header(self, header_plus: bytes) -> None:
        """Read the headers. Raises what waitress makes a refusal of."""
        super().parse_header(header_plus)
        if not str(self.path).endswith(LARGE_AT):  # type: ignore[attr-defined]
            self.adj = copy(self.adj)
            self.adj.max_request_body_size = min(self.adj.max_request_body_size, LARGEST_FORM)


class Refusal(ErrorTask):
    """The answer to what is no request, or a far too large one, which the application never sees."""

    def execute(self) -> None:
        """Answer."""
        self.response_headers.extend(self.channel.server.refusal_headers.items())  # type: ignore[attr-defined]
        super().execute()


class Connection(HTTPChannel):
    """One connection, which knows for how long it has held somebody up."""

    parser_class = Request
    error_task_class = Refusal
    _request_began = 0.0

    def received(self, data: bytes) -> bool:
        """Take in what came of a request."""
        before = self.request
        taken: bool = super().received(data)
        if self.request is None or self.request is not before:
            self._request_began = time.time()
        if len(self.requests) > MOST_AHEAD:
            self.handle_close()
        return taken

    def holds_up(self, now: float) -> bool:
        """Whether its request does not get on, or its reader takes nothing of what waits for it."""
        if self.request is not None:
            arrived = self.request.header_bytes_received + self.request.body_bytes_received
            if now - self._request_began > REQUEST_PATIENCE + arrived / SLOWEST:
                return True
        return bool(self.total_outbufs_len) and now - self.last_activity > READER_PATIENCE

    @property
    def waits(self) -> bool:
        """Whether nothing that was asked on it is being done."""
        return not self.requests and not self.total_outbufs_len


class Server(TcpWSGIServer):
    """A server on a socket that listens already. Above 950 connections idle ones make room for new ones.

    `refusal_headers` are on what it answers without the application.
    """

    channel_class = Connection

    def __init__(
        self,
        application: Any,  # noqa: ANN401
        listening: socket,
        threads: int,
        largest_body: int,
        refusal_headers: Mapping[str, str] | None = None,
    ) -> None:
        self.refusal_headers = refusal_headers or {}
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
            waiting = [connection for connection in connections if connection.waits]
            for connection in sorted(waiting, key=lambda one: (one.request is not None, one.last_activity))[:too_many]:
                connection.handle_close()
