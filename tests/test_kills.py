"""The server is killed at random moments of answers, again and again. `make soak` does it 200 times."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.scripted_server import DONE, Answer, ScriptedServer, ended, says
from webchat.conventions import SERVER_DIR, WEB_CHAT_SESSIONS_FILENAME

pytestmark = pytest.mark.timeout(600)  # a busy machine may take ten seconds for each start of a server
WORDS = [f"word-{number} " for number in range(150)]
BETWEEN_WORDS = 0.004  # seconds
LONGEST = 0.9  # seconds from a message to the kill
JSON = {"Accept": "application/json"}
TEXT = {"Accept": "text/plain"}


@dataclass
class Killed:
    """An answer whose server was killed: what the model had sent and when, and what a reader had received."""

    question: str
    session_id: str = ""
    sent: list[tuple[float, str]] = field(default_factory=list)
    read: str = ""
    at: float = 0.0

    def steps(self) -> Iterator[Any]:
        for word in WORDS:
            yield word
            self.sent.append((time.monotonic(), word))
            yield BETWEEN_WORDS
        yield ended()
        yield DONE


@pytest.fixture
def start(serve):
    with ScriptedServer() as model:
        yield model, lambda: serve("--backend", "openai", "--base-url", model.url, "--model", "m")


def kill_while_answering(server, model: ScriptedServer, killed: Killed) -> None:
    model.script(Answer(killed.steps()))
    accepted = httpx.post(f"{server.url}/messages", data={"message": killed.question})
    killed.session_id = accepted.headers["Location"].partition("/sessions/")[2].partition("#")[0]

    def kill() -> None:
        server.kill()
        killed.at = time.monotonic()

    killing = threading.Timer(random.uniform(0, LONGEST), kill)
    killing.start()
    try:
        with httpx.stream("GET", f"{server.url}/sessions/{killed.session_id}/reply") as page:
            for piece in page.iter_text():
                killed.read += piece
    except httpx.TransportError:
        pass  # that is the kill
    killing.join()


def check(server, model: ScriptedServer, killed: Killed, lateness: float) -> None:
    address = f"{server.url}/sessions/{killed.session_id}"
    question, answered = httpx.get(address, headers=JSON).json()["messages"]
    assert (question["content"], question["status"]) == (killed.question, "complete")
    text, whole = answered["content"], "".join(WORDS)
    assert whole.startswith(text)
    assert answered["status"] == "interrupted" or (answered["status"], text) == ("complete", whole)
    assert set(re.findall(r"word-\d+(?= )", killed.read)) <= set(text.split())
    said_by_then = "".join(word for moment, word in killed.sent if moment < killed.at - lateness)
    assert text.startswith(said_by_then)
    model.forget()  # a kill may come before the model is called
    model.script(says("Still here."))
    further = httpx.post(f"{address}/messages", data={"message": "And now?"}, headers=TEXT)
    assert (further.status_code, further.text) == (200, "Still here.")


def test_whatever_the_moment_nothing_is_lost(start, home: Path, pytestconfig):
    model, serve = start
    lateness = pytestconfig.getoption("lateness")
    server, all_killed = serve(), []
    for number in range(pytestconfig.getoption("kills")):
        all_killed.append(Killed(f"question {number}"))
        kill_while_answering(server, model, all_killed[-1])
        registry = json.loads((home / SERVER_DIR / WEB_CHAT_SESSIONS_FILENAME).read_bytes())
        assert {row["session_id"] for row in registry} == {killed.session_id for killed in all_killed}
        server = serve()
        check(server, model, all_killed[-1], lateness)
    listed = httpx.get(f"{server.url}/api/sessions").json()["sessions"]
    assert [row["description"] for row in listed] == [killed.question for killed in reversed(all_killed)]
