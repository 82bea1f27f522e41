"""A model server's events collect before they are read, without delaying an answer's first text or its end."""

from __future__ import annotations

import threading

import pytest

from tests.scripted_server import DONE, SILENCE, ScriptedServer, delta, ended, sends
from webchat.backends.openai import OpenAIModel, incoming

HOUR = 3600.0
PATIENCE = 10.0
QUESTION = [{"role": "user", "content": "hello"}]
ROLE_ONLY = delta(role="assistant", content="")


@pytest.fixture
def server():
    with ScriptedServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _gathers_for_an_hour(monkeypatch):
    """The gathering time is longer than the test."""
    for name in ("GATHERING", "LONGEST_GATHERING", "UNSEEN_END"):
        monkeypatch.setattr(incoming, name, HOUR)


@pytest.fixture
def reading(server):
    """Reads an answer in a thread; returns its text so far, an event for the first text and one for the end."""
    streams = []

    def reading(answer):
        server.script(answer)
        answered = OpenAIModel(server.url, "m").stream(QUESTION)
        streams.append(answered)
        return _Reading(answered)

    yield reading
    for answered in streams:
        answered.cancel()


class _Reading:
    def __init__(self, answered):
        self.text, self.first, self.finished = "", threading.Event(), threading.Event()
        self.answered = answered
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for piece in self.answered:
            if isinstance(piece, str):
                self.text += piece
                self.first.set()
        self.finished.set()


@pytest.mark.parametrize("before", [ROLE_ONLY, delta(content=""), b": still there\n\n"])
def test_the_first_text_does_not_gather(reading, before):
    seen = reading(sends(ROLE_ONLY, 0.05, before, 0.05, "Hello", SILENCE))
    assert seen.first.wait(PATIENCE)
    assert seen.text == "Hello"


def test_the_end_is_read_at_once_where_the_server_closes_behind_it(reading):
    seen = reading(sends("Hello", 0.05, " there", ended(), DONE, chunked=False))
    assert seen.finished.wait(PATIENCE)
    assert seen.text == "Hello there"


def test_the_end_is_read_soon_where_the_connection_stays_open(reading):
    seen = reading(sends("Hello", 0.05, " there", ended(), DONE, SILENCE))
    assert seen.finished.wait(PATIENCE)
    assert seen.text == "Hello there"


def test_the_end_is_read_soon_where_only_the_last_chunk_says_so(reading):
    seen = reading(sends("Hello", 0.05, " there", ended(), b"", 0.05))
    assert seen.finished.wait(PATIENCE)
    assert seen.text == "Hello there"


def test_a_gathering_ends_when_the_answer_is_cancelled(reading):
    seen = reading(sends("Hello", 0.05, " there", SILENCE))
    assert seen.first.wait(PATIENCE)
    seen.answered.cancel()
    assert seen.finished.wait(PATIENCE)


def test_what_comes_faster_than_it_could_gather_is_read_on(reading):
    seen = reading(sends(*(f"{number} " * 4000 for number in range(40)), SILENCE))
    assert seen.first.wait(PATIENCE)
    for _ in range(1000):
        if seen.text.endswith("39 "):
            break
        seen.finished.wait(0.01)
    assert seen.text.endswith("39 ")
