"""An agent behind the whole chat: its questions, its tools, stop, edit and a restart."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.acp import agents_in
from tests.reading import until
from webchat import create_app
from webchat.backends import MockBackend
from webchat.chat.parts import Permission, Terminal, Text, ToolCall


@pytest.fixture
def agents(tmp_path):
    with agents_in(tmp_path) as agents:
        yield agents


@pytest.fixture
def start(home, agents):
    """Starts a chat with the scripted agent on this test's folder."""
    started = []

    def begin(*switches: str):
        values = {"WEBCHAT_BACKEND": "acp", "WEBCHAT_AGENT": shlex.join(agents.command(*switches))}
        started.append(create_app({"AMPLIFIER_HOME": str(home), **values}))
        return started[-1].extensions["webchat"]

    yield begin
    for app in started:
        app.extensions["webchat"].close()


@pytest.fixture
def manager(start):
    return start()


@pytest.fixture
def session_id(manager):
    return manager.create_session("~").session_id


def last(manager, session_id):
    return manager.conversation(session_id).last


def question(manager, session_id) -> Permission:
    until(lambda: last(manager, session_id).questions)
    [asked] = last(manager, session_id).questions
    return asked


def test_tools_stand_between_the_texts(manager, session_id):
    manager.send_message("tool", session_id)
    first, call, second = last(manager, session_id).parts
    assert (first, second) == (Text("I look."), Text("\n\nTwo files."))
    assert (type(call), call.status, call.output) == (ToolCall, "done", (Terminal("a\nb\n"),))


def test_a_person_answers_the_agents_question(manager, session_id):
    manager.post_message(session_id, "ask")
    asked = question(manager, session_id)
    manager.answer_permission(session_id, asked.id, "yes-all")
    until(lambda: not last(manager, session_id).in_flight)
    assert '"optionId": "yes-all"' in last(manager, session_id).content
    [answered] = [part for part in last(manager, session_id).parts if isinstance(part, Permission)]
    assert (answered.status, answered.choice) == ("answered", "yes-all")


def test_stop_cancels_the_question_and_the_agents_session_goes_on(manager, session_id, agents):
    manager.post_message(session_id, "ask")
    question(manager, session_id)
    manager.stop(session_id)
    until(lambda: not last(manager, session_id).in_flight)
    [asked] = [part for part in last(manager, session_id).parts if isinstance(part, Permission)]
    assert asked.status == "cancelled"
    assert json.loads(manager.send_message("told", session_id))["prompts"] == ["ask", "told"]
    assert len(agents.received("session/new")) == 1


def test_a_restart_goes_on_with_the_agents_session(manager, start, session_id, agents):
    manager.send_message("tool", session_id)
    manager.close()
    again = start()
    assert json.loads(again.send_message("told", session_id))["prompts"] == ["tool", "told"]
    assert len(agents.received("session/load")) == 1


def test_a_retried_answer_comes_from_a_session_that_knows_nothing_of_the_first(manager, session_id, agents):
    manager.send_message("hello", session_id)
    manager.send_message("told", session_id)
    manager.retry(session_id, last(manager, session_id).id)
    until(lambda: not last(manager, session_id).in_flight)
    prompts = json.loads(last(manager, session_id).content)["prompts"]
    assert len(prompts) == 1
    assert "You: You said: hello" in prompts[0]
    assert len(agents.received("session/new")) == 2


def test_a_session_that_another_backend_began_works_in_its_folder(manager, start, agents):
    manager.use_backend(MockBackend())
    session_id = manager.create_session(str(agents.folder)).session_id
    manager.send_message("hello", session_id)
    assert json.loads(start().send_message("told", session_id))["cwd"] == str(agents.folder)


def test_the_page_of_a_new_session_says_what_an_agent_may_do(home, agents, client):
    app = create_app({"AMPLIFIER_HOME": str(home / "of-an-agent")}, backend=agents.backend())
    shown = app.test_client().get("/").text
    assert "some agents never ask" in shown
    assert "some agents never" not in client.get("/").text
    app.extensions["webchat"].close()
