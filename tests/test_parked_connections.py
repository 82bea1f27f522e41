"""A connection that is parked or resumed just when the server's loop closes it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from waitress.adjustments import Adjustments

from webchat.serving.connections import Connection, Server
from webchat.serving.parking import ParkedConnections, Task, parkable
from webchat.storage.wakeups import Pause, Waiter
from webchat.web.hosting import PARKING

SERVER = {
    **{"most_streams": 1, "add_task": lambda task: None, "pull_trigger": lambda: None},
    **{"server_name": "localhost", "effective_host": "127.0.0.1", "effective_port": 80, "adj": Adjustments()},
}
LONG_ENOUGH = 0.3  # seconds for the loop to close a connection, if nothing prevents that


class Sockets(dict[int, object]):
    """The loop's map of sockets. Something else happens before the next change."""

    def __init__(self) -> None:
        self.before_next: Callable[[], object] | None = None

    def __setitem__(self, number: int, connection: object) -> None:
        self._meanwhile()
        super().__setitem__(number, connection)

    def __delitem__(self, number: int) -> None:
        self._meanwhile()
        super().__delitem__(number)

    def _meanwhile(self) -> None:
        happens, self.before_next = self.before_next, None
        if happens:
            happens()


class Loop:
    """A server's loop, as far as it parks connections, with clients that are sockets of this process."""

    def __init__(self) -> None:
        self.sockets, self.gone_on = Sockets(), list[object]()
        self.parked = ParkedConnections(self.sockets, self.gone_on.append)
        self._server = SimpleNamespace(active_channels={}, parked=self.parked, **SERVER)
        self._closing: list[threading.Thread] = []
        self._clients = ExitStack()

    def accept(self, kind: type[Connection] = Connection, application: Any = None) -> Connection:
        self._server.application = parkable(application)
        ours, client = socket.socketpair()
        self._clients.enter_context(client)
        return kind(self._server, ours, ("127.0.0.1", 0), Adjustments(), map=self.sockets)

    def close_meanwhile(self, connection: Connection) -> None:
        """Close it in the loop's thread, before or after what this one is about to do."""
        closing = threading.Thread(target=connection.handle_close, daemon=True)
        closing.start()
        closing.join(LONG_ENOUGH)
        self._closing.append(closing)

    def settle(self) -> None:
        for closing in self._closing:
            closing.join()

    def end(self) -> None:
        self.settle()
        self.parked.close()
        self._clients.close()


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.end()


def a_pause() -> Pause:
    return Pause(Waiter(), time.monotonic() + 60)


def test_closed_while_it_is_brought_back(loop):
    """If it stayed in the loop, it would be polled forever, in place of the next connection with its descriptor."""
    connection = loop.accept()
    pause = a_pause()
    loop.parked.put(connection, pause)
    number = connection.socket.fileno()
    loop.sockets.before_next = lambda: loop.close_meanwhile(connection)
    pause.waiter.poke(urgent=True)
    loop.settle()
    assert number not in loop.sockets
    assert loop.gone_on == [connection]


def test_closed_while_it_is_put_aside(loop):
    """The next connection with its descriptor stays in the loop, and is answered."""
    connection = loop.accept()
    following: list[Connection] = []

    def close_and_accept() -> None:
        loop.close_meanwhile(connection)
        following.append(loop.accept())

    loop.sockets.before_next = close_and_accept
    loop.parked.put(connection, a_pause())
    [next_one] = following
    assert loop.sockets[next_one.socket.fileno()] is next_one
    loop.settle()
    assert connection not in loop.sockets.values()
    assert loop.gone_on == [connection]


class Body:
    """An application's body, which pauses, and counts how often it is closed."""

    def __init__(self, task: Task) -> None:
        self._task, self.closings = task, 0

    def __iter__(self) -> Iterator[bytes]:
        self._task.park(a_pause())
        yield b""

    def close(self) -> None:
        self.closings += 1


class Leaving(Connection):
    """Its client leaves after it was resumed, and before its task goes on."""

    leaves = False

    def task_class(self, channel: Connection, request: object) -> Task:
        if self.leaves:
            self.connected = False
        return super().task_class(channel, request)


def test_a_body_is_closed_whose_client_leaves_before_it_goes_on(loop):
    """Left to the garbage collector, it would end without its request, or too late for what it holds."""
    bodies = []

    def application(environ, start_response):
        start_response("200 OK", [])
        environ[PARKING].begin()
        bodies.append(Body(environ[PARKING]))
        return bodies[0]

    connection = loop.accept(Leaving, application)
    connection.received(b"GET / HTTP/1.1\r\n\r\n")
    connection.service()
    assert bodies[0].closings == 0
    connection.leaves = True
    connection.service()
    assert bodies[0].closings == 1
    connection.abandon()
    assert bodies[0].closings == 1


def test_a_thread_that_is_late_writes_into_nothing_that_was_opened_since(tmp_path):
    """It wakes the loop of the closed server by a byte, through a pipe whose number may then be that of a file."""
    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as opened:
        server = Server(lambda environ, start_response: [], listening, threads=2, largest_body=1)
        server.close()
        for name in range(20):
            opened.enter_context((tmp_path / str(name)).open("w"))
        server.pull_trigger()
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b""] * 20
        server.task_dispatcher.shutdown()
        server.trigger.close()
