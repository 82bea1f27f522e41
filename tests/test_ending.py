"""The server is told to shut down: answers in flight get time to finish, nothing new begins, and nothing is lost."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack

import httpx
import pytest

from tests.reading import until
from tests.scripted import ScriptedBackend
from tests.terminals import MODEL, whole
from tests.terminals import gate as gate
from tests.terminals import model as model
from tests.test_crash import QUESTION, SLOW, WHOLE, ask, messages, read
from webchat.manager import WebChatSessionManager


def sent(server, session_id):
    url = f"{server.url}/sessions/{session_id}/messages"
    return httpx.post(url, data={"message": "me too"}, headers={"Accept": "application/json"})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_answer_in_flight_is_finished_and_nothing_new_is_begun(serve, model, gate, number):
    model.script(whole("One", gate, " and two."))
    server = serve(*MODEL, "--base-url", model.url, "--grace", "100")
    idle = httpx.post(f"{server.url}/api/session").json()["session_id"]
    with ask(server) as answer:
        session_id = answer.headers["X-Session-Id"]
        pieces = answer.iter_text()
        assert next(pieces) == "One"
        server.process.send_signal(number)
        until(lambda: sent(server, idle).status_code == 503)
        refused = [
            sent(server, idle),
            httpx.post(f"{server.url}/api/session"),
            httpx.post(f"{server.url}/api/chat", json={"message": "me too"}),
            httpx.post(f"{server.url}/messages", data={"message": "me too"}),
        ]
        assert [(told.status_code, told.headers["Retry-After"]) for told in refused] == [(503, "10")] * 4
        assert "shutting down" in refused[0].json()["error"]
        assert "me too" in refused[3].text  # kept in the field
        gate.set()
        assert "".join(pieces) == " and two."
    assert server.process.wait(timeout=60) == 0
    server = serve()
    assert messages(server, session_id)[1] == ("assistant", "complete", "One and two.")


def test_an_answer_that_takes_longer_is_kept_as_far_as_it_came(serve):
    server = serve(*SLOW, "--grace", "0.3")
    with ask(server) as answer:
        session_id = answer.headers["X-Session-Id"]
        seen = read(answer, 30)
        assert server.terminate() == 0
    interrupted = messages(serve(), session_id)[1]
    assert interrupted[1] == "interrupted"
    assert len(seen) < len(interrupted[2]) < len(WHOLE)
    assert WHOLE.startswith(interrupted[2])


def test_told_twice_it_ends_at_once(serve):
    server = serve("--backend", "mock", "--mock-delay", "0.2", "--grace", "100")
    idle = httpx.post(f"{server.url}/api/session").json()["session_id"]
    with ask(server) as answer:
        session_id = answer.headers["X-Session-Id"]
        seen = read(answer, 20)
        server.process.terminate()
        until(lambda: sent(server, idle).status_code == 503)
        assert server.terminate() == 0
    assert any("repeat to end at once" in line for line in server.errors)
    interrupted = messages(serve(), session_id)[1]
    assert interrupted[1] == "interrupted"
    assert interrupted[2].startswith(seen.strip())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_without_grace_it_ends_at_once_and_well_whatever_is_open(serve, number):
    server = serve("--backend", "mock", "--mock-delay", "0.05", "--grace", "0")
    with ExitStack() as stack:
        answer = stack.enter_context(ask(server))
        session_id = answer.headers["X-Session-Id"]
        seen = read(answer, 30)
        for _ in range(5):
            stream = stack.enter_context(httpx.stream("GET", f"{server.url}/events?session={session_id}"))
            assert next(stream.iter_text())
        server.process.send_signal(number)
        assert server.process.wait(timeout=60) == 0
    server = serve()
    question, interrupted = messages(server, session_id)
    assert question[2] == QUESTION
    assert interrupted[1] == "interrupted"
    assert interrupted[2].startswith(seen.strip())


def test_told_to_end_with_nothing_open_it_ends_at_once_and_well(serve):
    server = serve("--backend", "mock", "--grace", "3600")
    assert httpx.get(server.url).status_code == 200
    assert server.terminate() == 0
    assert "Traceback" not in "".join(server.errors)


def test_answers_that_nothing_ends_are_given_their_time_together():
    gate = threading.Event()

    class Stuck(ScriptedBackend):
        def send_message(self, session_id, message, pictures=()):
            yield "so far"
            gate.wait()

    manager = WebChatSessionManager(Stuck())
    posted = [manager.start_conversation("hello") for _ in range(20)]
    began = time.monotonic()
    manager.close(patience=0.5)
    assert time.monotonic() - began < 5
    gate.set()
    assert all(one.run.wait(30) for one in posted)
