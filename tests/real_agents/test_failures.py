"""Real agents that are stopped or killed in the middle of their work."""

from __future__ import annotations

import pytest

from tests.acp import has_ended
from tests.reading import until
from tests.real_agents.chat import PATIENCE
from tests.real_agents.model import primed
from tests.scripted_server import SILENCE, calls, says, sends
from webchat.errors import QuestionClosed


def asked(model) -> list[str]:
    """The person's messages that the model was sent last."""
    return [said for role, said in model.heard if role == "user"]


def test_stop_ends_a_command_that_runs(chat, session_id, model, agent):
    pid_file = chat.work / "pid"
    model.script(calls("c1", *agent.runs(f"echo $$ > {pid_file}; exec sleep 1000")))
    chat.manager.post_message(session_id, "Sleep.")
    chat.choose(session_id, "allow_once")
    until(lambda: pid_file.exists() and pid_file.read_text().strip(), PATIENCE)
    pid = int(pid_file.read_text())
    assert not has_ended(pid)
    chat.manager.stop(session_id)
    assert chat.ended(session_id).status == "stopped"
    until(lambda: has_ended(pid), PATIENCE)
    assert chat.say(session_id, "Are you awake?") == "Hello there."
    anew = primed("User: Sleep.", new="Are you awake?")
    assert asked(model) == ([anew] if agent.forgets else ["Sleep.", "Are you awake?"])


def test_a_stopped_answer_stays_in_the_conversation(chat, session_id, model, agent):
    model.script(sends("Once upon a time ", SILENCE))
    chat.begin_answer(session_id, "Tell me a story.", "Once")
    began = chat.agents_session(session_id)
    chat.manager.stop(session_id)
    assert chat.ended(session_id).status == "stopped"
    assert chat.say(session_id, "Shorter, please.") == "Hello there."
    assert (chat.agents_session(session_id) == began) == (not agent.forgets)
    told = ["User: Tell me a story.", "You: Once upon a time "]
    anew = [("user", primed(*told, new="Shorter, please."))]
    assert model.heard == (anew if agent.forgets else chat.transcript(session_id)[:-1])


def test_stop_while_the_agent_asks_runs_nothing(chat, session_id, model, agent):
    made = chat.work / "made"
    model.script(calls("c1", *agent.runs(f"touch {made}"), said="I make it. "))
    chat.manager.post_message(session_id, "Make a file.")
    asked = chat.question(session_id)
    chat.manager.stop(session_id)
    answer = chat.ended(session_id)
    assert (answer.status, answer.content) == ("stopped", "I make it. ")
    with pytest.raises(QuestionClosed):
        chat.manager.answer_permission(session_id, asked.id, asked.options[0].id)
    assert chat.say(session_id, "Is it there?") == "Hello there."
    assert not made.exists()
    anew = [("user", primed("User: Make a file.", "You: I make it. ", new="Is it there?"))]
    assert model.heard == (anew if agent.forgets else chat.transcript(session_id)[:-1])


def test_a_killed_agent_fails_its_answer_and_the_next_message_starts_it_again(chat, session_id, model):
    model.script(says("Ada, I see."), sends("Once upon a time ", SILENCE))
    chat.say(session_id, "My name is Ada.")
    chat.begin_answer(session_id, "Tell me a story.", "Once")
    chat.kill_agent()
    failed = chat.ended(session_id)
    assert (failed.status, failed.content.strip()) == ("failed", "Once upon a time")
    assert failed.error == "The agent exited unexpectedly. Send the message again to restart it."
    assert chat.say(session_id, "What is my name?") == "Hello there."
    [(_, told)] = model.heard
    assert told == primed("User: My name is Ada.", "You: Ada, I see.", "User: Tell me a story.", new="What is my name?")
