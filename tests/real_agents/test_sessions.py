"""The sessions of real agents continue, and have the conversation that the page shows."""

from __future__ import annotations

from tests.reading import until
from tests.real_agents.chat import PATIENCE
from tests.real_agents.model import primed
from tests.scripted_server import SILENCE, calls, says, sends


def test_after_a_restart_the_agents_sessions_go_on(chat, session_id, model, agent):
    """One with a complete answer that has a tool call, and one whose last answer was stopped."""
    model.script(calls("c1", *agent.runs(f"touch {chat.work / 'made'}"), said="I make it. "), says("It is there."))
    chat.manager.post_message(session_id, "Make a file.")
    chat.choose(session_id, "allow_once")
    chat.ended(session_id)
    stopped = chat.new_session()
    model.script(says("Ada, I see."), sends("Once upon a time ", SILENCE))
    chat.say(stopped, "My name is Ada.")
    chat.begin_answer(stopped, "Tell me a story.", "Once")
    chat.manager.stop(stopped)
    chat.ended(stopped)
    until(lambda: not chat.backend._sessions.find(stopped).live.running, PATIENCE)
    began = [chat.agents_session(name) for name in (session_id, stopped)]
    chat.manager.close()
    chat.begin()

    assert chat.say(session_id, "What did you do?") == "Hello there."
    heard, gave = model.heard, model.tools_gave
    assert chat.say(stopped, "Go on.") == "Hello there."
    if agent.forgets:
        told = ["User: Make a file.", "You: I make it. \n\nIt is there."]
        assert heard == [("user", primed(*told, new="What did you do?"))]
        told = ["User: My name is Ada.", "You: Ada, I see.", "User: Tell me a story.", "You: Once upon a time "]
        assert model.heard == [("user", primed(*told, new="Go on."))]
        return
    assert [chat.agents_session(name) for name in (session_id, stopped)] == began
    assert heard == [
        ("user", "Make a file."),
        ("assistant", "I make it."),
        ("assistant", "It is there."),
        ("user", "What did you do?"),
    ]
    assert len(gave) == 1
    assert model.heard == [
        ("user", "My name is Ada."),
        ("assistant", "Ada, I see."),
        ("user", "Tell me a story."),
        ("assistant", "Once upon a time"),
        ("user", "Go on."),
    ]


def test_an_edited_message_and_a_fork_have_their_own_history(chat, session_id, model):
    model.script(says("Ada, I see."), says("Forty-two."), says("Blue."))
    chat.say(session_id, "My name is Ada.")
    chat.say(session_id, "What is 6 * 7?")
    _, answer, second, _ = chat.manager.conversation(session_id).messages
    assert chat.manager.edit(session_id, second.id, "What colour is the sky?").result() == "Blue."
    told = ("user", primed("User: My name is Ada.", "You: Ada, I see.", new="What colour is the sky?"))
    assert model.heard == [told]
    chat.say(session_id, "And the sea?")
    assert model.heard == [told, ("assistant", "Blue."), ("user", "And the sea?")]

    forked = chat.manager.fork(session_id, answer.id).session_id
    chat.say(forked, "Who am I?")
    assert model.heard == [("user", primed("User: My name is Ada.", "You: Ada, I see.", new="Who am I?"))]


def test_a_session_of_the_agents_own_is_brought_in(chat, session_id, model, agent):
    model.script(says("Ada, I see."))
    chat.say(session_id, "My name is Ada.")
    began = chat.agents_session(session_id)
    chat.manager.close()
    chat.begin("another chat")
    chat.say(chat.new_session(), "Hello.")  # some agents list the sessions of one folder, which the chat must know
    if agent.forgets:
        assert chat.backend.own_sessions() == []
        return
    [own] = [session for session in chat.backend.own_sessions() if session.id == f"{agent.name}/{began}"]
    assert own.working_dir == str(chat.work)
    brought_in, _, history = chat.backend.bring_in(own.id)
    assert history == [
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": "Ada, I see."},
    ]
    list(chat.backend.send_message(brought_in, "What is my name?"))
    assert model.heard == [("user", "My name is Ada."), ("assistant", "Ada, I see."), ("user", "What is my name?")]
    assert own.id not in {session.id for session in chat.backend.own_sessions()}
