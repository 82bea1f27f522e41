"""Clients that send byte by byte, stop reading or hold many connections are disconnected and do not block others."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest

from tests.preloaded import ForkedProcess
from tests.processes import another_process, says
from tests.reading import until

SERVE = """
import sys
from webchat import create_app
from webchat.serving import logs
from webchat.serving import server
from webchat.serving.bounds import Bounds
logs.set_up(level="info")
bounds = Bounds(request_patience=1.5, reader_patience=1.5, most_connections=40, kept_free=10)
app = create_app({"AMPLIFIER_HOME": sys.argv[1], "WEBCHAT_BACKEND": "mock", "WEBCHAT_MAX_STREAMS": 2})
listening = server.listen("127.0.0.1", 0)
print(listening.getsockname()[1])
server.run(app, app.extensions["webchat"], listening, max_streams=2, grace=0, bounds=bounds)
"""
THREADS = 30
PATIENT = """
import sys, threading
from flask import Response
from webchat import create_app
from webchat.serving import logs
from webchat.serving import server
logs.set_up()
app = create_app({"AMPLIFIER_HOME": sys.argv[1], "WEBCHAT_BACKEND": "mock", "WEBCHAT_MAX_STREAMS": 2})
app.get("/held", endpoint="held")(lambda: str(threading.Event().wait()))
app.get("/endless", endpoint="endless")(lambda: Response(b"x" * 65536 for _ in iter(int, 1)))
listening = server.listen("127.0.0.1", 0)
print(listening.getsockname()[1])
server.run(app, app.extensions["webchat"], listening, max_streams=2, grace=0)
"""
LARGE = 24 * 1024 * 1024
"""Bytes; more than the system keeps for a reader that does not read."""


@pytest.fixture
def process(home) -> Iterator[ForkedProcess]:
    with another_process(SERVE, home) as process:
        yield process


@pytest.fixture
def port(process) -> int:
    return int(says(process))


@pytest.fixture
def patient_port(home) -> Iterator[int]:
    """The port of a server with the same timeouts as outside tests."""
    with another_process(PATIENT, home) as process:
        yield int(says(process))


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def answers(port: int) -> bool:
    return httpx.get(f"http://127.0.0.1:{port}/", timeout=60).status_code == 200


def until_let_go(process: ForkedProcess) -> None:
    """Wait until the server logs that it has dropped one more."""
    assert process.stderr is not None
    assert any("dropping a connection" in line for line in process.stderr)


def is_let_go(slow: socket.socket) -> bool:
    """Whether the server closes the connection within the socket's timeout."""
    try:
        while slow.recv(65536):
            pass
    except ConnectionError:
        return True
    return True


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\nX: ", b"POST /messages HTTP/1.1\r\nContent-Length: 9999\r\n\r\n"]
)
def test_a_request_that_comes_byte_by_byte_is_given_up(port, start):
    with connect(port) as slow:
        slow.sendall(start)
        with suppress(ConnectionError):
            for _ in range(400):
                slow.sendall(b"x")
                time.sleep(0.02)
            pytest.fail("it was let go on")
    assert answers(port)


def test_a_long_request_that_gets_on_is_taken(port):
    body = b"message=" + b"x" * 8000
    with connect(port) as steady:
        steady.sendall(b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8008\r\n")
        steady.sendall(b"Content-Type: application/x-www-form-urlencoded\r\n\r\n")
        for start in range(0, len(body), 500):
            steady.sendall(body[start : start + 500])
            time.sleep(0.15)
        assert steady.recv(100).startswith(b"HTTP/1.1 200")


def test_a_reader_that_reads_no_more_is_let_go_and_its_thread_is_free(process, port, home):
    transcripts = home / "server" / "web-chat-transcripts"
    transcripts.mkdir(parents=True)
    (transcripts / "big.jsonl").write_text(json.dumps({"role": "user", "content": "x" * LARGE}) + "\n")
    (home / "server" / "web-chat-sessions.json").write_text(json.dumps([{"session_id": "big", "description": "Big"}]))
    with ExitStack() as stack:
        stuck = [stack.enter_context(connect(port)) for _ in range(3)]
        for slow in stuck:
            slow.sendall(b"GET /sessions/big/export HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answers(port)
        assert [slow.recv(1) for slow in stuck] == [b"H"] * 3
        # Nothing is read for longer than its patience; then there is less than what was asked for, and the end.
        for _ in stuck:
            until_let_go(process)
        for slow in stuck:
            received = 0
            with suppress(ConnectionError):
                while data := slow.recv(1024 * 1024):
                    received += len(data)
            assert received < LARGE
    assert answers(port)


@pytest.fixture
def large(home) -> str:
    """The address of a file that is more than the system keeps for a reader that does not read."""
    transcripts = home / "server" / "web-chat-transcripts"
    transcripts.mkdir(parents=True)
    line = json.dumps({"role": "user", "content": "x" * (LARGE // 24)}) + "\n"
    (transcripts / "big.jsonl").write_text(line * 24)
    (home / "server" / "web-chat-sessions.json").write_text(json.dumps([{"session_id": "big", "description": "Big"}]))
    return "/sessions/big/export?format=md"


def ask_for(port: int, path: str, stack: ExitStack) -> socket.socket:
    slow = stack.enter_context(connect(port))
    slow.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return slow


def test_a_reader_that_takes_a_little_now_and_then_is_let_go(large, process, port):
    with ExitStack() as stack:
        slow = ask_for(port, large, stack)
        received, over = 0, threading.Event()
        threading.Thread(target=lambda: (until_let_go(process), over.set()), daemon=True).start()
        while not over.wait(0.02):
            received += len(slow.recv(10))
        with suppress(ConnectionError):
            while data := slow.recv(1024 * 1024):
                received += len(data)
        assert received < LARGE


def test_a_reader_that_is_slow_and_gets_on_has_all(large, port):
    with ExitStack() as stack:
        steady = ask_for(port, large, stack)
        received = 0
        while received < LARGE:
            data = steady.recv(256 * 1024)
            assert data
            received += len(data)
            time.sleep(0.02)


def test_one_client_gets_a_few_exports_at_once_and_is_told_so(large, patient_port):
    with ExitStack() as stack:
        for _ in range(4):
            assert ask_for(patient_port, large, stack).recv(15) == b"HTTP/1.1 200 OK"
        refused = httpx.get(f"http://127.0.0.1:{patient_port}{large}", headers={"Accept": "application/json"})
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        assert "exports" in refused.json()["error"]
    # The four have left.
    until(lambda: httpx.get(f"http://127.0.0.1:{patient_port}{large}").status_code == 200)


def test_probes_are_answered_while_290_connections_read_an_export_slowly(large, patient_port):
    with ExitStack() as stack:
        for _ in range(290):
            ask_for(patient_port, large, stack)
        for probe in ("healthz", "readyz", "healthz"):
            assert httpx.get(f"http://127.0.0.1:{patient_port}/{probe}", timeout=60).status_code == 200
        assert answers(patient_port)


def test_probes_are_answered_while_all_threads_are_held(patient_port):
    """Here by more page streams than the application is configured for."""
    with ExitStack() as stack:
        for _ in range(THREADS):
            assert ask_for(patient_port, "/held", stack)
        assert httpx.get(f"http://127.0.0.1:{patient_port}/healthz", timeout=60).status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"http://127.0.0.1:{patient_port}/", timeout=0.5)


def test_the_longest_waiting_reader_makes_room_for_others(patient_port):
    """Whatever the application streams, at most a few threads wait for readers."""
    with ExitStack() as stack:
        for _ in range(THREADS):
            ask_for(patient_port, "/endless", stack)
        assert answers(patient_port)


def test_idle_connections_make_room_for_others(port):
    with ExitStack() as stack:
        idle = [stack.enter_context(connect(port)) for _ in range(60)]
        assert answers(port)
        assert is_let_go(idle[0])


def test_who_asks_without_waiting_for_answers_is_let_go(port):
    with connect(port) as eager:
        eager.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        assert is_let_go(eager)
    assert answers(port)


def test_a_large_body_is_taken_for_an_import_alone(port):
    for path, refused in (("/messages", True), ("/sessions/import", False)):
        with connect(port) as large:
            large.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n".encode())
            if refused:
                assert large.recv(100).startswith(b"HTTP/1.1 413")
                continue
            large.settimeout(0.4)
            with suppress(TimeoutError):
                assert not large.recv(100).startswith(b"HTTP/1.1 413")
