"""A silent or busy model: what a person reads meanwhile."""

from __future__ import annotations

import threading

import pytest

from tests.reading import until
from tests.scripted import ScriptedReply
from tests.scripted_server import ScriptedServer, refuses, says
from webchat.backends import Event
from webchat.backends.openai import OpenAIModel

BUSY = refuses(429, {"error": {"message": "busy"}}, {"Retry-After": "1"})


@pytest.fixture
def impatient(manager):
    manager.reply_times.silence, manager.reply_times.silence_step = 0.3, 0.1


def status_of(manager, session_id):
    status = manager.conversation(session_id).status
    return status.text if status else ""


def test_how_long_the_model_is_silent_is_said_until_it_speaks(manager, backend, impatient):
    speak, end = threading.Event(), threading.Event()
    backend.plays(speak, "text", end)
    session_id = manager.create_session().session_id
    posted = manager.post_message(session_id, "hello")
    until(lambda: status_of(manager, session_id).startswith("No output from the model for "))
    speak.set()
    until(lambda: manager.conversation(session_id).last.content == "text")
    # It falls silent once more, in the middle of its text.
    until(lambda: status_of(manager, session_id).startswith("No output from the model for "))
    end.set()
    assert posted.wait(10)
    assert status_of(manager, session_id) == ""
    assert manager.conversation(session_id).last.content == "text"


def test_what_the_model_does_for_long_is_said_with_the_time(manager, backend, impatient):
    end = threading.Event()
    backend.plays(Event("status", "Loading the model", progress=0.5), end)
    session_id = manager.create_session().session_id
    posted = manager.post_message(session_id, "hello")
    until(lambda: status_of(manager, session_id).startswith("Loading the model · "))
    assert manager.conversation(session_id).status.progress == 0.5
    end.set()
    assert posted.wait(10)


def test_a_stop_that_the_model_does_not_hear_is_said(manager, backend, monkeypatch):
    monkeypatch.delattr(ScriptedReply, "cancel")
    end = threading.Event()
    backend.plays("text", end)
    session_id = manager.create_session().session_id
    posted = manager.post_message(session_id, "hello")
    posted.wait_for_text(30)
    assert posted.run
    posted.run.stop()
    until(lambda: status_of(manager, session_id).startswith("Stopping"))
    end.set()
    assert posted.wait(10)
    assert status_of(manager, session_id) == ""
    assert (posted.answer.status, posted.answer.content) == ("stopped", "text")


def test_a_server_that_has_no_time_is_asked_again_when_it_said():
    with ScriptedServer() as server:
        server.script(BUSY, says("Lisbon"))
        pieces = list(OpenAIModel(server.url, "m").stream([{"role": "user", "content": "?"}]))
    assert [piece.text for piece in pieces if isinstance(piece, Event) and piece.kind == "status"] == [
        f"{server.url.split('/')[2]} is limiting requests; trying again in 1 s"
    ]
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == "Lisbon"


def test_a_stop_ends_the_wait_for_a_server_that_has_no_time():
    with ScriptedServer() as server:
        server.script(refuses(429, {}, {"Retry-After": "30"}))
        stream = OpenAIModel(server.url, "m").stream([{"role": "user", "content": "?"}])
        pieces = iter(stream)
        assert next(pieces).text.endswith("in 30 s")
        threading.Timer(0.1, stream.cancel).start()
        assert list(pieces) == []
