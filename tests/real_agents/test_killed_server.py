"""The server is killed: its agent ends with it, and the next server continues the right conversations."""

from __future__ import annotations

import shlex

import httpx
import pytest

from tests.reading import until
from tests.real_agents.chat import PATIENCE
from tests.real_agents.model import primed
from tests.scripted_server import SILENCE, says, sends


@pytest.fixture
def chat(begin):
    """A chat whose agent runs only in servers."""
    return begin()


@pytest.fixture
def start(serve, chat):
    return lambda: serve("--backend", "acp", "--agent", shlex.join(chat.agent.command), env=chat.environ)


def begin_session(server, chat) -> str:
    made = httpx.post(f"{server.url}/api/session", json={"working_dir": str(chat.work)}, timeout=PATIENCE).json()
    return made["session_id"]


@pytest.fixture
def ask(chat):
    """Sends a message and returns the whole answer; if it takes too long, tells how far model and agent have come.

    The first message to a server starts its agent, which is a step of its own.
    """

    def ask(server, session_id: str, message: str) -> str:
        told = {"message": message, "session_id": session_id}
        try:
            return httpx.post(f"{server.url}/api/chat", json=told, timeout=2 * PATIENCE).json()["response"]
        except httpx.TimeoutException as error:
            page = httpx.get(f"{server.url}/sessions/{session_id}", headers={"Accept": "application/json"}).text
            raise AssertionError("\n".join([f"{error}: {message}", page, *chat.account()])) from None

    return ask


@pytest.mark.timeout(600)
def test_the_model_has_each_conversation_after_a_kill(start, ask, chat, model):
    server = start()
    answered, writing = begin_session(server, chat), begin_session(server, chat)
    model.script(says("Ada, I see."), says("Bob, I see."), sends("Once upon a time ", SILENCE))
    assert ask(server, answered, "My name is Ada.") == "Ada, I see."
    assert ask(server, writing, "My name is Bob.") == "Bob, I see."
    page = f"{server.url}/sessions/{writing}"
    httpx.post(f"{page}/messages", data={"message": "Tell me a story."})
    until(lambda: "Once" in httpx.get(page, headers={"Accept": "application/json"}).text, PATIENCE)
    server.kill()
    until(lambda: not chat.agent_processes(), PATIENCE)

    server = start()
    assert ask(server, answered, "What is my name?") == "Hello there."
    going_on = [("user", "My name is Ada."), ("assistant", "Ada, I see."), ("user", "What is my name?")]
    anew = [("user", primed("User: My name is Ada.", "You: Ada, I see.", new="What is my name?"))]
    assert model.heard in (going_on, anew)  # an agent that had not saved its answer yet is told

    assert ask(server, writing, "Go on.") == "Hello there."
    told = ["User: My name is Bob.", "You: Bob, I see.", "User: Tell me a story.", "You: Once upon a time "]
    assert model.heard == [("user", primed(*told, new="Go on."))]
