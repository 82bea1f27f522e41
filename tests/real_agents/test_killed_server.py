"""The server is killed: its agent ends with it, and the next server goes on with the right conversation."""

from __future__ import annotations

import shlex

import httpx
import pytest

from tests.reading import until
from tests.real_agents.chat import PATIENCE
from tests.real_agents.model import primed
from tests.scripted_server import SILENCE, says, sends


@pytest.fixture
def start(serve, chat):
    return lambda: serve("--backend", "acp", "--agent", shlex.join(chat.agent.command), env=chat.environ)


def ask(server, message: str) -> str:
    answer = httpx.post(f"{server.url}/api/chat", json={"message": message}, timeout=PATIENCE)
    return answer.json()["response"]


@pytest.mark.timeout(300)
def test_the_model_has_the_conversation_after_each_kill(start, chat, model):
    model.script(says("Ada, I see."))
    server = start()
    made = httpx.post(f"{server.url}/api/session", json={"working_dir": str(chat.work)}).json()
    assert ask(server, "My name is Ada.") == "Ada, I see."
    server.kill()
    until(lambda: not chat.agent_processes(), PATIENCE)

    server = start()
    assert ask(server, "What is my name?") == "Hello there."
    going_on = [("user", "My name is Ada."), ("assistant", "Ada, I see."), ("user", "What is my name?")]
    anew = [("user", primed("User: My name is Ada.", "You: Ada, I see.", new="What is my name?"))]
    assert model.heard in (going_on, anew)  # an agent that had not saved its answer yet is told

    model.script(sends("Once upon a time ", SILENCE))
    session = f"{server.url}/sessions/{made['session_id']}"
    httpx.post(f"{session}/messages", data={"message": "Tell me a story."})
    until(lambda: "Once" in httpx.get(session, headers={"Accept": "application/json"}).text, PATIENCE)
    server.kill()
    until(lambda: not chat.agent_processes(), PATIENCE)
    server = start()
    assert ask(server, "Go on.") == "Hello there."
    told = ["User: My name is Ada.", "You: Ada, I see.", "User: What is my name?", "You: Hello there."]
    told += ["User: Tell me a story.", "You: Once upon a time "]
    assert model.heard == [("user", primed(*told, new="Go on."))]
