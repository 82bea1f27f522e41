"""Real agents that are stopped or killed in the middle of their work."""

from __future__ import annotations

from tests.acp import has_ended
from tests.reading import until
from tests.real_agents.chat import PATIENCE
from tests.real_agents.model import primed
from tests.scripted_server import SILENCE, calls, says, sends


def asked(model) -> list[str]:
    """The person's messages as the model was told them last."""
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
    assert asked(model) == ["Sleep.", "Are you awake?"]


def test_after_a_stop_the_agents_session_goes_on(chat, session_id, model):
    model.script(sends("Once upon a time ", SILENCE))
    chat.begin_answer(session_id, "Tell me a story.", "Once")
    began = chat.agents_session(session_id)
    chat.manager.stop(session_id)
    assert chat.ended(session_id).status == "stopped"
    assert chat.say(session_id, "Shorter, please.") == "Hello there."
    assert chat.agents_session(session_id) == began
    assert asked(model) == ["Tell me a story.", "Shorter, please."]


def test_a_killed_agent_fails_its_answer_and_the_next_message_starts_it_again(chat, session_id, model):
    model.script(says("Ada, I see."), sends("Once upon a time ", SILENCE))
    chat.say(session_id, "My name is Ada.")
    chat.begin_answer(session_id, "Tell me a story.", "Once")
    chat.kill_agent()
    failed = chat.ended(session_id)
    assert (failed.status, failed.content.strip()) == ("failed", "Once upon a time")
    assert failed.error == "The agent ended unexpectedly. Send the message again: that starts it anew."
    assert chat.say(session_id, "What is my name?") == "Hello there."
    [(_, told)] = model.heard
    assert told == primed("User: My name is Ada.", "You: Ada, I see.", "User: Tell me a story.", new="What is my name?")
