"""Real agents answer in the chat, and ask the person before they run a command."""

from __future__ import annotations

from tests.scripted_server import calls, says
from webchat.chat.parts import Permission, ToolCall


def call_of(message) -> ToolCall:
    [call] = [part for part in message.parts if isinstance(part, ToolCall)]
    return call


def question_of(message) -> Permission:
    [asked] = [part for part in message.parts if isinstance(part, Permission)]
    return asked


def shown(call: ToolCall) -> str:
    return "".join(block.text for block in call.output)


def test_a_conversation_reaches_the_model_as_it_is_on_the_page(chat, session_id, model):
    model.script(says("I am ", "a **model**."), says("Two."))
    assert chat.say(session_id, "Who are you?") == "I am a **model**."
    assert chat.say(session_id, "What is 1 + 1?") == "Two."
    assert model.heard == chat.transcript(session_id)[:-1]
    assert chat.last(session_id).status == "complete"


def test_a_command_runs_once_the_person_allows_it(chat, session_id, model, agent):
    made = chat.work / "made"
    model.script(calls("c1", *agent.runs(f"printf 'one\\ntwo\\n' | tee {made}")), says("It printed two lines."))
    chat.manager.post_message(session_id, "Print two lines.")
    asked = chat.question(session_id)
    assert tuple(option.name for option in asked.options) == agent.offers
    assert not made.exists()
    chat.choose(session_id, "allow_once")
    answer = chat.ended(session_id)
    assert (answer.status, answer.content) == ("complete", "It printed two lines.")
    assert made.read_text() == "one\ntwo\n"
    call = call_of(answer)
    assert (call.kind, call.status) == ("execute", "done")
    assert ("printf" in call.input, "one\ntwo\n" in shown(call)) == (agent.shows, agent.shows)
    assert "one\ntwo" in model.tools_gave[0]
    assert question_of(answer).chosen.kind == "allow_once"


def test_a_command_that_the_person_refuses_does_not_run(chat, session_id, model, agent):
    made = chat.work / "made"
    model.script(calls("c1", *agent.runs(f"printf one | tee {made}")))
    model.default = says("Then not.")
    chat.manager.post_message(session_id, "Print a line.")
    chat.choose(session_id, "reject_once")
    answer = chat.ended(session_id)
    assert answer.status == "complete"
    assert call_of(answer).status == "failed"
    assert question_of(answer).chosen.kind == "reject_once"
    chat.say(session_id, "What did you do?")
    assert not made.exists()
    assert model.heard == [said for said in chat.transcript(session_id)[:-1] if said[1]]
    assert len(model.tools_gave) == 1
