"""The sessions of real agents go on, and have the conversation that the page shows."""

from __future__ import annotations

from tests.reading import until
from tests.real_agents.chat import PATIENCE
from tests.real_agents.model import primed
from tests.scripted_server import SILENCE, calls, says, sends


def test_after_a_restart_the_agents_session_goes_on(chat, session_id, model, agent):
    model.script(calls("c1", *agent.runs(f"touch {chat.work / 'made'}"), said="I make it. "), says("It is there."))
    chat.manager.post_message(session_id, "Make a file.")
    chat.choose(session_id, "allow_once")
    chat.ended(session_id)
    began = chat.agents_session(session_id)
    chat.manager.close()
    chat.begin()
    assert chat.say(session_id, "What did you do?") == "Hello there."
    if agent.forgets:
        told = ["User: Make a file.", "You: I make it. \n\nIt is there."]
        assert model.heard == [("user", primed(*told, new="What did you do?"))]
        return
    assert chat.agents_session(session_id) == began
    assert model.heard == [
        ("user", "Make a file."),
        ("assistant", "I make it."),
        ("assistant", "It is there."),
        ("user", "What did you do?"),
    ]
    assert len(model.tools_gave) == 1


def test_after_a_stop_and_a_restart_the_model_has_what_had_come(chat, session_id, model, agent):
    model.script(says("Ada, I see."), sends("Once upon a time ", SILENCE))
    chat.say(session_id, "My name is Ada.")
    chat.begin_answer(session_id, "Tell me a story.", "Once")
    began = chat.agents_session(session_id)
    chat.manager.stop(session_id)
    chat.ended(session_id)
    until(lambda: not chat.backend._sessions.find(session_id).live.running, PATIENCE)
    chat.manager.close()
    chat.begin()
    assert chat.say(session_id, "Go on.") == "Hello there."
    if agent.forgets:
        told = ["User: My name is Ada.", "You: Ada, I see.", "User: Tell me a story.", "You: Once upon a time "]
        assert model.heard == [("user", primed(*told, new="Go on."))]
        return
    assert chat.agents_session(session_id) == began
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
    [own] = chat.backend.own_sessions()
    assert own.id == f"{chat.agent.name}/{began}"
    assert own.working_dir == str(chat.work)
    brought_in, _, history = chat.backend.bring_in(own.id)
    assert history == [
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": "Ada, I see."},
    ]
    list(chat.backend.send_message(brought_in, "What is my name?"))
    assert model.heard == [("user", "My name is Ada."), ("assistant", "Ada, I see."), ("user", "What is my name?")]
    assert chat.backend.own_sessions() == []
