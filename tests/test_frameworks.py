"""Agents of the installed frameworks answer as the page on agents shows, with a scripted model server."""

from __future__ import annotations

import re
import runpy
import threading
from base64 import b64encode
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.pictures import png
from tests.scripted_server import DONE, SILENCE, ScriptedServer, calls, delta, ended, refuses, says, sends
from webchat import ChatModelBackend, WebChatSessionManager, frameworks
from webchat.backends import Event
from webchat.chat.parts import Output, ToolCall
from webchat.errors import BackendUnavailable

PAGE = (Path(__file__).parent.parent / "docs" / "agents.md").read_text("utf-8")
EXAMPLES = dict(re.findall(r"<!-- framework: (\w+) -->\n```python\n(.*?)```", PAGE, re.DOTALL))
PACKAGES = {
    "pydantic_ai": ["pydantic_ai", "openai"],
    "openai_agents": ["agents"],
    "langgraph": ["langgraph", "langchain", "langchain_openai"],
    "langchain": ["langchain_openai"],
    "agno": ["agno", "openai"],
    "smolagents": ["smolagents", "openai"],
}
INSTALLED = [name for name, packages in PACKAGES.items() if all(map(find_spec, packages))]
KEY = "sk-test-secret"


def each(*but):
    """The installed frameworks, except those named."""
    named = [name for name in INSTALLED if name not in but]
    return pytest.mark.parametrize("framework", named or [pytest.param("none", marks=NONE_IS_INSTALLED)])


NONE_IS_INSTALLED = pytest.mark.skip("none of these frameworks is installed: make test EXTRA=frameworks installs them")


@pytest.fixture
def server(monkeypatch):
    with ScriptedServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("AGNO_TELEMETRY", "false")
        yield server


@pytest.fixture
def example(framework, server, tmp_path):
    """The names that the page's example defines."""
    if framework == "openai_agents":  # which would use the Responses API, and send traces to OpenAI
        agents = import_module("agents")
        agents.set_default_openai_api("chat_completions")
        agents.set_tracing_disabled(True)
    file = tmp_path / "example.py"  # some read the source of a tool
    file.write_text(EXAMPLES["tool"] + EXAMPLES[framework])
    return runpy.run_path(str(file))


@pytest.fixture
def backend(example):
    return example["backend"]


def ask(backend, *messages):
    """The pieces of the last answer."""
    session_id = backend.create_session("~", "").session_id
    return [list(backend.send_message(session_id, message)) for message in messages][-1]


def text_of(pieces):
    return "".join(piece for piece in pieces if isinstance(piece, str))


def calls_in(pieces):
    return [piece for piece in pieces if isinstance(piece, ToolCall)]


def answer(framework, text):
    """The model's final answer in the form that the framework expects."""
    return calls("final", "final_answer", {"answer": text}) if framework == "smolagents" else says(text)


def said_to(server, number=-1):
    """The conversation that the model was sent, without instructions."""
    messages = server.questions[number]["messages"]
    found = [(message["role"], message["content"]) for message in messages if message["role"] in ("user", "assistant")]
    return [(role, content[0]["text"] if isinstance(content, list) else content) for role, content in found]


def test_the_page_has_an_example_for_each_framework():
    assert EXAMPLES.keys() == PACKAGES.keys() | {"tool"}


@pytest.mark.parametrize("framework", PACKAGES)
def test_the_example_answers(framework, request):
    if framework not in INSTALLED:
        pytest.skip(f"{framework} is not installed: none of its tests is run")
    server, backend = request.getfixturevalue("server"), request.getfixturevalue("backend")
    server.script(answer(framework, "Hello."))
    assert text_of(ask(backend, "Hi")) == "Hello."
    assert backend.label


@each("langchain")
def test_tool_calls_are_in_their_place(framework, backend, server):
    server.script(calls("c1", "weather", {"city": "Rome"}, "Let me look."), answer(framework, "It is warm."))
    pieces = ask(backend, "How is it in Rome?")
    begun, done = calls_in(pieces)
    assert (begun.id, begun.title, begun.status, begun.output) == ("c1", "weather", "running", ())
    assert (done.id, done.status, done.output) == ("c1", "done", (Output("22 degrees in Rome"),))
    assert '"Rome"' in begun.input == done.input
    before, after = pieces[: pieces.index(begun)], pieces[pieces.index(done) + 1 :]
    if framework == "smolagents":
        assert Event("reasoning", "Let me look.") in before
        assert text_of(pieces) == "It is warm."
    else:
        assert (text_of(before), text_of(after)) == ("Let me look.", "It is warm.")


@each("langchain", "smolagents")
def test_tool_calls_are_kept_in_the_transcript(framework, backend, server, tmp_path):
    server.script(calls("c1", "weather", {"city": "Rome"}, "Let me look."), says("It is warm."))
    manager = WebChatSessionManager(backend, tmp_path / "sessions.json")
    session_id = manager.start_conversation("How is it in Rome?").session.session_id
    manager.close(grace=30)
    answer = manager.conversation(session_id).messages[-1]
    before, call, after = answer.parts
    assert (before.text, after.text.strip()) == ("Let me look.", "It is warm.")
    assert (call.id, call.status, call.output) == ("c1", "done", (Output("22 degrees in Rome"),))
    assert (answer.content, answer.status) == ("Let me look.\n\nIt is warm.", "complete")


@each()
def test_the_conversation_comes_along(framework, backend, server):
    server.script(answer(framework, "Hello Ada."), answer(framework, "Ada."))
    assert text_of(ask(backend, "I am Ada.", "Who am I?")) == "Ada."
    asked = [(role, text.removeprefix("New task:\n")) for role, text in said_to(server)]
    assert asked == [("user", "I am Ada."), ("assistant", "Hello Ada."), ("user", "Who am I?")]


@each("langchain", "smolagents")
def test_instructions_are_said_in_every_turn_and_ours_in_addition(framework, example, server):
    agent = example["graph" if framework == "langgraph" else "agent"]
    backend = ChatModelBackend(getattr(frameworks, framework)(agent), "Speak like a sailor.")
    ask(backend, "One", "Two")
    for question in server.questions:
        instructions = str([message["content"] for message in question["messages"] if message["role"] != "user"])
        assert "You know the weather." in instructions
        assert "Speak like a sailor." in instructions


@each("smolagents")
def test_reasoning_is_told_apart(framework, backend, server):
    server.script(sends(delta(reasoning_content="Hmm. "), delta(reasoning_content="Well."), "Hello", ended(), DONE))
    pieces = ask(backend, "Hi")
    assert text_of(pieces) == "Hello"
    if framework not in ("langchain", "langgraph"):  # whose OpenAI client does not know it
        assert "".join(piece.text for piece in pieces if isinstance(piece, Event)) == "Hmm. Well."


@each()
@pytest.mark.parametrize(("status", "said"), [(401, "did not accept the key"), (403, "with the configured key")])
def test_a_refusal_is_a_sentence(framework, backend, server, status, said):
    server.default = refuses(status, {"error": {"message": f"Incorrect API key provided: {KEY}"}})
    with pytest.raises(BackendUnavailable) as problem:
        ask(backend, "Hi")
    if framework == "agno":  # which does not say why
        said = "The agent failed to answer."
    assert said in str(problem.value)
    assert KEY not in str(problem.value)


@each()
def test_a_stop_ends_the_answer_and_hangs_up(framework, backend, server):
    server.script(sends("Once upon", SILENCE))
    stop_after_its_first_piece(backend)
    if framework != "smolagents":  # which cannot be interrupted
        assert server.next_request().wait_until_gone()
    server.script(answer(framework, "Yes?"))
    assert text_of(ask(backend, "Still there?")) == "Yes?"


def stop_after_its_first_piece(backend):
    pieces = backend.send_message(backend.create_session("~", "").session_id, "Tell me a story.")
    begun = threading.Event()

    def read():
        for _piece in pieces:
            begun.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert begun.wait(30)
    pieces.cancel()
    reader.join(10)
    assert not reader.is_alive()


@pytest.mark.skipif("smolagents" not in INSTALLED, reason="smolagents is not installed")
@pytest.mark.parametrize("framework", ["smolagents"])
def test_an_agent_in_a_thread_begins_nothing_after_a_stop(framework, backend, server):
    """Neither the tool that the model requests, nor another step."""
    for end in (calls("c1", "weather", {"city": "Rome"}).steps, [ended(), DONE], []):
        stopped = threading.Event()
        server.script(sends("Let me look.", stopped, *end))
        stop_after_its_first_piece(backend)
        asked = len(server.questions)
        stopped.set()
        for thread in threading.enumerate():
            if thread.name == "agent":
                thread.join(30)
                assert not thread.is_alive()
        assert len(server.questions) == asked


@each("langchain", "openai_agents")
def test_a_failed_tool_call_has_failed(framework, backend, server):
    server.script(calls("c1", "weather", {"town": "Rome"}), answer(framework, "I do not know."))
    pieces = ask(backend, "How is it in Rome?")
    assert [call.status for call in calls_in(pieces)] == ["running", "failed"]
    assert text_of(pieces) == "I do not know."


@pytest.mark.skipif("smolagents" not in INSTALLED, reason="smolagents is not installed")
@pytest.mark.parametrize("framework", ["smolagents"])
def test_code_is_a_tool_call(framework, example, server):
    package = import_module("smolagents")
    agent = package.CodeAgent([package.tool(example["weather"])], package.OpenAIServerModel("m"), stream_outputs=True)
    server.script(says("I look.\n<code>\nprint(weather('Rome'))\n</code>"), says("<code>final_answer('Warm')</code>"))
    pieces = ask(ChatModelBackend(frameworks.smolagents(agent)), "How is it in Rome?")
    assert [call.status for call in calls_in(pieces)] == ["running", "done"] * 2
    assert "22 degrees in Rome" in calls_in(pieces)[1].output[0].text
    assert text_of(pieces) == "Warm"


@each("langchain")
def test_another_thing_than_an_agent_is_refused_at_once(framework):
    with pytest.raises(TypeError, match="object is no agent of this framework"):
        getattr(frameworks, framework)(object())


@each("agno", "smolagents")
def test_a_picture_is_shown_to_the_model_and_again_with_the_next_question(framework, backend, server):
    manager = WebChatSessionManager(backend)
    session_id = manager.create_session().session_id
    manager.post_message(session_id, "What is this?", files=[("cat.png", png())]).wait()
    manager.send_message("And now?", session_id)
    for question in server.questions:
        (asked,) = [item for item in question["messages"] if isinstance(item["content"], list)]
        text, image = asked["content"]
        assert text == {"type": "text", "text": "What is this?"}
        assert image["image_url"]["url"] == f"data:image/png;base64,{b64encode(png()).decode()}"
    assert len(server.questions) == 2
    manager.close()
