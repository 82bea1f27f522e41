"""Open pages hold no thread of our server while nothing happens, and are notified at once when something does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue

import httpx
import pytest

from tests.processes import another_process, says
from tests.reading import until
from webchat.storage.wakeups import Pause, Waiter

SERVE = """
import resource, sys
from webchat import create_app
from webchat.serving import logs
from webchat.serving import server
logs.set_up()
settings = {"AMPLIFIER_HOME": sys.argv[1], "WEBCHAT_BACKEND": "mock", "WEBCHAT_MOCK_DELAY": 0}
most, files = int(sys.argv[2]), int(sys.argv[3])
if files:
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
app = create_app({**settings, "WEBCHAT_MAX_STREAMS": most, "WEBCHAT_MAX_STREAMS_PER_CLIENT": 0})
"""
RUN = """
listening = server.listen("127.0.0.1", 0)
print(listening.getsockname()[1])
server.run(app, app.extensions["webchat"], listening, max_streams=most, grace=0)
"""
WITHOUT_EMPTY_PIECES = """
class Dropping:
    def __init__(self, application):
        self.application = application
    def __call__(self, environ, start_response):
        body = self.application(environ, start_response)
        try:
            yield from (piece for piece in body if piece)
        finally:
            body.close()

app.wsgi_app = Dropping(app.wsgi_app)
"""


class Served:
    """A server in a process of its own."""

    def __init__(self, home: Path, stack: ExitStack, most: int, more: str = "", files: int = 0) -> None:
        self.process = stack.enter_context(another_process(SERVE + more + RUN, home, most, files))
        self.port = int(says(self.process))
        self.url = f"http://127.0.0.1:{self.port}"

    def threads(self) -> int:
        return len([*Path(f"/proc/{self.process.pid}/task").iterdir()])

    def new_session(self) -> str:
        return str(httpx.post(f"{self.url}/api/session").json()["session_id"])

    def say(self, session: str, text: str) -> None:
        form, whole = {"message": text}, {"Accept": "application/json"}
        httpx.post(f"{self.url}/sessions/{session}/messages", data=form, headers=whole).raise_for_status()

    @contextmanager
    def page(self, session: str) -> Iterator[Page]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(f"GET /events?session={session} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            page = Page(connection)
            page.read_until("HTTP/1.1 200")
            yield page


class Page:
    """An open page's stream."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.text = ""

    def read_until(self, text: str) -> None:
        while text not in self.text:
            data = self._connection.recv(65536)
            assert data, f"the stream ended before {text!r}"
            self.text += data.decode(errors="replace")

    def read_to_its_end(self) -> str:
        while data := self._connection.recv(65536):
            self.text += data.decode(errors="replace")
        return self.text


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_open_pages_hold_no_thread_and_get_what_happens(home, stack):
    # There are fewer threads than pages.
    server = Served(home, stack, 200, "server.MOST_HELD, server.FOR_PAGES = 0, 60\n")
    sessions = [server.new_session() for _ in range(120)]
    first = stack.enter_context(server.page(sessions[0]))
    server.say(sessions[0], "to begin with")
    first.read_until("to begin with")
    pages = [stack.enter_context(server.page(session)) for session in sessions[1:]]
    for page, session in zip(pages[::10], sessions[1::10], strict=True):
        server.say(session, f"news for {session}")
        page.read_until(f"news for {session}")


def test_a_slot_is_free_again_when_its_page_has_gone(home, stack):
    server = Served(home, stack, 2)
    session = server.new_session()
    stack.enter_context(server.page(session))
    with server.page(session), server.page(session) as third:
        third.read_until("retry: 5000")

    def has_a_slot() -> bool:
        with server.page(session) as page:
            page.read_until("\n\n")
            page.read_until("event:")
            return "retry:" not in page.text

    until(has_a_slot, 20)


def test_every_page_is_told_of_the_end(home, stack):
    server = Served(home, stack, 100)
    session = server.new_session()
    pages = [stack.enter_context(server.page(session)) for _ in range(50)]
    for page in pages:
        page.read_until("event: sessions")
    server.process.terminate()
    for page in pages:
        assert page.read_to_its_end().endswith("0\r\n\r\n")
    _, errors = server.process.communicate(timeout=60)
    assert server.process.returncode == 0
    assert errors == ""


def test_what_drops_empty_pieces_stops_no_page(home, stack):
    server = Served(home, stack, 10, WITHOUT_EMPTY_PIECES)
    session = server.new_session()
    page = stack.enter_context(server.page(session))
    for text in ("the first", "the second"):
        server.say(session, text)
        page.read_until(text)


def test_a_limit_that_leaves_few_pages_is_told(home, stack):
    server = Served(home, stack, 300, files=256)
    server.new_session()
    server.process.terminate()
    _, errors = server.process.communicate(timeout=60)
    assert "limit of 256 open files allows live updates for 96 pages" in errors


def test_a_waiter_calls_at_a_change_and_for_an_urgent_one_only_where_that_is_meant():
    waiter, called = Waiter(), SimpleQueue[str]()
    waiter.call(lambda: called.put("first"), urgent=False)
    assert called.empty()
    waiter.poke(urgent=False)
    assert called.get(timeout=1) == "first"
    waiter.clear()
    waiter.call(lambda: called.put("second"), urgent=True)
    waiter.poke(urgent=False)
    assert called.empty()
    waiter.poke(urgent=True)
    assert called.get(timeout=1) == "second"


def test_a_change_before_the_call_is_not_missed():
    waiter, called = Waiter(), threading.Event()
    waiter.poke(urgent=False)
    Pause(waiter, time.monotonic() + 60).call(called.set)
    assert called.is_set()
