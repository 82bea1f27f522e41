"""waitress with timeouts: slow connections that block others are closed. Knows no application."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from socket import AF_UNIX, SHUT_RDWR, socket
from typing import Any

from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.wasyncore import dispatcher

from webchat.serving.bounds import Bounds, Refusal, Request, WaitingReaders, adjustments, unread
from webchat.serving.parking import Parked, ParkedConnections, Task, Ticket, parkable
from webchat.serving.workers import Workers

log = logging.getLogger(__name__)
PROBES = ("/healthz", "/readyz")
"""Endings of paths with separate threads, which respond even if all other threads are busy."""
THREADS_FOR_PROBES = 2
MOST_AHEAD = 10
"""Pipelined requests on one connection: browsers send none, and each may need a thread."""
LAST_TASKS = 0.02
"""Seconds between two checks for waiting tasks when the server ends."""
FOR_STREAMS = 0.75
"""The share of connections that streams of open pages may use."""
ACCEPT_PAUSE = 1.0
"""Seconds to pause after accepting has failed for lack of descriptors or memory."""
SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
SHORTAGE_OVER = 60.0
"""Seconds without a failure after which the next one is logged again."""


class Connection(HTTPChannel):
    """One connection, which measures for how long it has blocked others."""

    parser_class = Request
    error_task_class = Refusal
    ticket: Ticket | None = None
    """Takes the connection back while it is parked; later it has no effect."""
    _task: Task | None = None
    """The task to continue when the connection is back."""
    _request_began = 0.0
    _sent = 0
    _slow_since: tuple[float, int] | None = None
    """When data began to wait for the reader, or its speed was last sufficient, and the bytes it had taken by then."""

    def task_class(self, channel: Any, request: Any) -> Task:  # type: ignore[override]  # noqa: ANN401
        """A task for a new request, or the parked one."""
        task, self._task = self._task, None
        return task or Task(channel, request)

    def service(self) -> None:
        """Handle the first request; if its task pauses, park the connection."""
        going_on = self._task
        try:
            super().service()
        except Parked as parked:
            self._task = parked.task
            self.server.parked.put(self, parked.pause)  # type: ignore[attr-defined]
        else:
            if going_on:  # its client may have left before it could continue
                going_on.abandon()

    def abandon(self) -> None:
        """End the parked task."""
        if self._task:
            self._task.abandon()

    def handle_close(self) -> None:
        """Close the connection, and end its parked task."""
        super().handle_close()
        if self.ticket:
            self.ticket.use()

    def del_channel(self, map: Any = None) -> None:  # noqa: ANN401
        """Leave the loop, but not while being parked or taken back."""
        with self.server.parked.leaving(self):  # type: ignore[attr-defined]
            super().del_channel(map)

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send as many of these bytes as the system takes; returns how many."""
        sent: int = super().send(data, do_close)
        self._sent += sent
        return sent

    def received(self, data: bytes) -> bool:
        """Receive bytes of a request."""
        before = self.request
        taken: bool = super().received(data)
        if self.request is None or self.request is not before:
            self._request_began = time.time()
        if len(self.requests) > MOST_AHEAD:
            self.handle_close()
        return taken

    def holds_up(self, now: float) -> bool:
        """Whether its request arrives, or its data is read, too slowly."""
        if self.request is not None:
            arrived = self.request.header_bytes_received + self.request.body_bytes_received
            if now - self._request_began > self._bounds.request_patience + arrived / self._bounds.slowest:
                return True
        return self._reads_too_slowly(now)

    def _reads_too_slowly(self, now: float) -> bool:
        if not self.total_outbufs_len:
            self._slow_since = None
            return False
        taken = self._sent - unread(self.socket)
        began, before = self._slow_since or (now, taken)
        is_over = now - began > self._bounds.reader_patience
        if self._slow_since is None or is_over:
            self._slow_since = now, taken
        return is_over and taken - before < self._bounds.least_speed * (now - began)

    @property
    def _bounds(self) -> Bounds:
        return self.server.bounds  # type: ignore[attr-defined,no-any-return]

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Wait until the reader has taken most of the sent data."""
        if self.total_outbufs_len > self.adj.outbuf_high_watermark:
            with self.server.waiting.include(self):  # type: ignore[attr-defined]
                super()._flush_outbufs_below_high_watermark()  # type: ignore[misc]  # not in the stubs

    def let_go(self) -> None:
        """Shut the connection down, from any thread; the loop then closes it.

        If it were closed here, a connection accepted in the same turn of the loop could get its descriptor, and then
        the events of this one.
        """
        with suppress(OSError, AttributeError):  # it is closed already
            self.socket.shutdown(SHUT_RDWR)  # type: ignore[union-attr]

    @property
    def waits(self) -> bool:
        """Whether it has no request in progress."""
        return not self.requests and not self.total_outbufs_len


class Server(TcpWSGIServer):
    """A server on a listening socket. Near the limit of connections, idle ones are closed to make room.

    Probes have threads of their own. `refusal_headers` are added to responses that do not come from the application.
    """

    channel_class = Connection

    def __init__(
        self,
        application: Any,  # noqa: ANN401
        listening: socket,
        threads: int,
        largest_body: int,
        refusal_headers: Mapping[str, str] | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self.refusal_headers, self.bounds = refusal_headers or {}, bounds or Bounds()
        self._most_connections = self.bounds.connections_now()
        self.most_streams = int(self._most_connections * FOR_STREAMS)
        self.waiting = WaitingReaders(min(self.bounds.most_waiting, threads // 2))
        self._accepts_from = self._failed_at = 0.0
        tasks, self._probes = Workers(threads), Workers(THREADS_FOR_PROBES)
        super().__init__(
            parkable(application),
            _sock=listening,
            dispatcher=tasks,
            adj=adjustments(listening, threads, self._most_connections, largest_body),
            bind_socket=False,
            sockinfo=(listening.family, listening.type, listening.proto, listening.getsockname()),
        )
        sockets = self._map  # type: ignore[attr-defined]  # not in the stubs
        self.parked = ParkedConnections(sockets, tasks.add_task)

    def getsockname(self) -> tuple[str, str]:
        """The host and port for the application."""
        return ("localhost", "80") if self.family == AF_UNIX else super().getsockname()

    def set_socket_options(self, conn: Any) -> None:  # noqa: ANN401
        """Set the options of TCP sockets."""
        if self.family != AF_UNIX:
            super().set_socket_options(conn)

    def fix_addr(self, addr: Any) -> Any:  # noqa: ANN401
        """The peer's address; through a Unix socket that of this machine, like a local proxy's."""
        return ("127.0.0.1", 0) if self.family == AF_UNIX else addr

    def add_task(self, task: Any) -> None:  # noqa: ANN401  (a connection)
        """Queue the connection's next request; probes go to their own threads."""
        is_probe = str(getattr(task.requests[0], "path", "")).endswith(PROBES)
        (self._probes if is_probe else self.task_dispatcher).add_task(task)

    def readable(self) -> bool:
        """Whether connections are accepted now."""
        has_room = len(self.active_channels) < self._most_connections  # type: ignore[arg-type]  # a dict
        return bool(super().readable()) and has_room and time.monotonic() >= self._accepts_from

    def accept(self) -> Any:  # noqa: ANN401
        """A new connection; None after a failure, which is followed by a pause instead of a busy loop."""
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in SHORTAGES:
                raise
            self._pause(error)
            return None

    def _pause(self, error: OSError) -> None:
        now = time.monotonic()
        if not self._failed_at or now - self._failed_at > SHORTAGE_OVER:
            log.warning("no connection can be accepted: %s; retrying every second", error.strerror)
        self._failed_at, self._accepts_from = now, now + ACCEPT_PAUSE

    def close(self) -> None:
        """End the threads for probes and the parked requests, and stop listening.

        The pipe that wakes the loop stays open: a thread that is late would write into whatever had its number by then.
        """
        self._probes.shutdown()
        self.parked.close()
        connections: list[Connection] = [*self.active_channels.values()]  # type: ignore[attr-defined]  # a dict
        for connection in connections:
            connection.abandon()
        dispatcher.close(self)

    def wait_for_tasks(self, seconds: float) -> None:
        """Wait until all queued tasks have a thread, for so many seconds at most."""
        end = time.monotonic() + seconds
        while self.task_dispatcher.queue and time.monotonic() < end:
            time.sleep(LAST_TASKS)

    def maintenance(self, now: int) -> None:
        """Close connections that are too slow, or idle for too long."""
        super().maintenance(now)
        connections: list[Connection] = [*self.active_channels.values()]  # type: ignore[attr-defined]  # a dict
        for connection in connections:
            if connection.holds_up(now):
                log.info("dropping a connection from %s: it is too slow", connection.addr[0])
                connection.let_go()
        self._make_room([connection for connection in connections if connection.connected])

    def _make_room(self, connections: list[Connection]) -> None:
        too_many = len(connections) - (self._most_connections - min(self.bounds.kept_free, self._most_connections // 2))
        if too_many > 0:
            waiting = [connection for connection in connections if connection.waits]
            for connection in sorted(waiting, key=lambda one: (one.request is not None, one.last_activity))[:too_many]:
                connection.let_go()
