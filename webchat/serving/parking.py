"""Parks the connections of streams that have nothing to send, so that they hold no thread. Knows no application."""

from __future__ import annotations

import heapq
import itertools
import select
import threading
import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol

from waitress.task import WSGITask

from webchat.web.hosting import PARKING, Pause

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Parked(BaseException):
    """Takes a thread out of a request that continues later.

    Not an Exception, so that error handlers do not catch it.
    """

    def __init__(self, task: Task, pause: Pause) -> None:
        super().__init__()
        self.task, self.pause = task, pause


class Task(WSGITask):
    """One request. When its body pauses, `service` raises Parked, and continues when it is called again."""

    def __init__(self, channel: Any, request: Any) -> None:  # noqa: ANN401
        super().__init__(channel, request)
        self.most: int = channel.server.most_streams
        self.pause: Pause | None = None
        self._may_pause = False
        self._body: _Body | None = None
        # Whichever thread continues, the application finds its request in this context.
        self._context = copy_context()

    @property
    def has_room(self) -> bool:
        """See `webchat.web.hosting.Parking`: half of the threads are reserved for new requests."""
        server = self.channel.server
        return bool(server.task_dispatcher.active_count * 2 <= server.adj.threads)

    def begin(self) -> None:
        """See `webchat.web.hosting.Parking`."""
        self._may_pause = True

    def park(self, pause: Pause) -> None:
        """See `webchat.web.hosting.Parking`."""
        self.pause = pause

    def taken(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """The application's body, wrapped for waitress."""
        if not self._may_pause:
            return body
        self._body = _Body(self, body)
        return self._body

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ[PARKING] = self
        return environ

    def service(self) -> None:
        """Handle the request, or continue with it. Raises Parked."""
        self._context.run(super().service)

    def execute(self) -> None:
        if self._body is None:
            super().execute()
            return
        self.pause = None
        try:
            for piece in self._body:
                self.write(piece)
        finally:
            self._body.close()

    def abandon(self) -> None:
        """End the body of a parked request whose client has left; no effect if it has ended."""
        self.pause = None
        if self._body:
            self._context.run(self._body.close)


class _Body:
    def __init__(self, task: Task, body: Iterable[bytes]) -> None:
        self._task, self._whole, self._pieces = task, body, iter(body)
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if not piece and self._task.pause:
                raise Parked(self._task, self._task.pause)
            yield piece

    def close(self) -> None:
        """Called by waitress, also when parking, which does not end the body. May be called several times."""
        if self._task.pause or self._is_closed:
            return
        self._is_closed = True
        if hasattr(self._whole, "close"):
            self._whole.close()


def parkable(application: WSGIApplication) -> WSGIApplication:
    """The application, for a server whose tasks can be parked."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = application(environ, start_response)
        task: Task = environ[PARKING]
        return task.taken(body)

    return serve


class Parkable(Protocol):
    """A connection that can be parked."""

    connected: bool
    total_outbufs_len: int
    ticket: Ticket | None
    _fileno: int | None


class Ticket:
    """Takes one connection back, once, from whichever thread comes first."""

    def __init__(self, connection: Parkable, take_back: Callable[[Any], object]) -> None:
        self._held, self._take_back = [connection], take_back

    def use(self) -> None:
        try:
            connection = self._held.pop()
        except IndexError:
            return
        self._take_back(connection)


class ParkedConnections:
    """The parked connections, each until its pause is over or its client has left.

    One thread wakes connections whose time is over. The server's loop watches all parked connections by a single
    descriptor, to notice clients that send something or leave: watching each of them would cost more than everything
    else.
    """

    accepting = False

    def __init__(self, sockets: MutableMapping[int, Any], go_on: Callable[[Any], object]) -> None:
        """`sockets` are those that the server's loop watches; `go_on` is called with a connection that continues."""
        self._sockets, self._go_on = sockets, go_on
        self._watched: dict[int, Parkable] = {}
        self._guard = threading.Lock()
        """Held while a connection is moved or closed: afterwards another one may get its descriptor."""
        self._due: list[tuple[float, int, Ticket]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._is_closed = False
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        if self._epoll:
            sockets[self._epoll.fileno()] = self
        threading.Thread(target=self._watch_time, name="parking", daemon=True).start()

    def put(self, connection: Parkable, pause: Pause) -> None:
        """Park a connection; no thread may be working for it."""
        connection.ticket = ticket = Ticket(connection, self._take_back)
        if not connection.total_outbufs_len:  # otherwise the loop must send the rest
            self._watch(connection)
        pause.call(ticket.use)  # before it is due: it may continue and pause again
        with self._changed:
            heapq.heappush(self._due, (pause.until, next(self._numbers), ticket))
            if self._due[0][2] is ticket:
                self._changed.notify()
        if not connection.connected:
            ticket.use()

    @contextmanager
    def leaving(self, connection: Parkable) -> Iterator[None]:
        """Within this block a connection can be removed from the loop: nobody moves it meanwhile."""
        with self._guard:
            self._move_back(connection)
            yield

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._epoll:
            self._sockets.pop(self._epoll.fileno(), None)
            self._epoll.close()

    def _take_back(self, connection: Parkable) -> None:
        self._give_back(connection)
        self._go_on(connection)

    def _watch_time(self) -> None:
        while ticket := self._next_due():
            ticket.use()

    def _next_due(self) -> Ticket | None:
        with self._changed:
            while not self._is_closed:
                left = self._due[0][0] - time.monotonic() if self._due else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(left)
        return None

    def _watch(self, connection: Parkable) -> None:
        """Make the loop watch the connection by our descriptor."""
        with self._guard:
            number = connection._fileno
            if self._epoll and number is not None and self._sockets.get(number) is connection:
                self._watched[number] = connection
                del self._sockets[number]
                with suppress(OSError, ValueError):  # we have been closed
                    self._epoll.register(number, select.EPOLLIN)

    def _give_back(self, connection: Parkable) -> None:
        """Make the loop watch the connection itself again."""
        with self._guard:
            self._move_back(connection)

    def _move_back(self, connection: Parkable) -> None:
        """Needs the lock."""
        number = connection._fileno
        if self._epoll and number is not None and self._watched.pop(number, None) is connection:
            with suppress(OSError, ValueError):
                self._epoll.unregister(number)
            self._sockets[number] = connection

    # Called by the loop

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def handle_read_event(self) -> None:
        """A client of a parked connection has sent something, or has left."""
        if self._epoll:
            for number, _ in self._epoll.poll(0):
                connection = self._watched.get(number)
                if connection:
                    self._give_back(connection)
