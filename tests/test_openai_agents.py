"""An agent behind an OpenAI-compatible server: its tool calls are not shown, and its turns are expensive."""

from __future__ import annotations

import threading

import pytest

from tests.reading import until
from tests.scripted_server import DONE, SILENCE, Answer, ScriptedServer, ended, refuses, says, sends
from webchat import config
from webchat.backends import SessionOptions, abilities
from webchat.backends.chat_model import NAME_IT, ChatModelBackend
from webchat.backends.openai import OpenAIModel, from_settings, patient
from webchat.errors import BackendUnavailable, InvalidInput
from webchat.manager import WebChatSessionManager

QUESTION = [{"role": "user", "content": "Build it"}]


@pytest.fixture
def server():
    with ScriptedServer() as server:
        yield server


def model_at(server, name="amplifier", **options):
    return OpenAIModel(server.url, name, **{"read_timeout": 0.2, "agent_timeout": 60.0, "agent_quiet": 0.05, **options})


def text_of(pieces):
    return "".join(piece for piece in pieces if isinstance(piece, str))


@pytest.mark.parametrize("name", ["amplifier", "agent", "agent-of-mine", "auto"])
@pytest.mark.parametrize("is_begun", [True, False])
def test_a_long_silence_is_a_status_and_no_failure(server, name, is_begun):
    server.models = ["amplifier"]
    goes_on = threading.Event()
    steps = ["Done", ended(), DONE]
    server.script(sends("I look. ", goes_on, *steps) if is_begun else Answer(steps, before=[goes_on]))
    pieces = []
    for piece in model_at(server, name).stream(QUESTION):
        pieces.append(piece)
        if piece == patient.AT_WORK and (text_of(pieces) or not is_begun):
            # The silence is longer than the limit for any other model.
            threading.Timer(0.5, goes_on.set).start()
    assert text_of(pieces) == ("I look. Done" if is_begun else "Done")
    silence = pieces[pieces.index("I look. ") if is_begun else 0 :]  # the first text may be late, too
    assert silence.count(patient.AT_WORK) == 1


def test_a_silence_ends_with_the_answers_time(server):
    server.script(sends("I look.", SILENCE))
    with pytest.raises(BackendUnavailable, match=r"silent for 0\.3 seconds"):
        list(model_at(server, agent_timeout=0.3).stream(QUESTION))


@pytest.mark.parametrize("name", ["llama", "auto"])
def test_no_other_model_may_be_silent_for_so_long(server, name):
    server.script(sends("Lis", SILENCE))
    pieces = []
    with pytest.raises(BackendUnavailable, match=r"silent for 0\.2 seconds"):
        pieces.extend(model_at(server, name).stream(QUESTION))
    assert patient.AT_WORK not in pieces


def test_a_stop_ends_a_silence_at_once(server):
    server.script(sends("I look.", SILENCE))
    stream = model_at(server).stream(QUESTION)
    pieces = []

    def read():
        for piece in stream:
            pieces.append(piece)

    reading = threading.Thread(target=read)
    reading.start()
    request = server.next_request()
    until(lambda: patient.AT_WORK in pieces)
    stream.cancel()
    assert request.wait_until_gone()
    reading.join(10)
    assert not reading.is_alive()


def test_whoever_reads_no_more_leaves_no_thread_behind(server):
    server.script(sends(*["word "] * 1000, SILENCE))
    pieces = iter(model_at(server).stream(QUESTION))
    assert next(pieces)
    pieces.close()
    assert server.next_request().wait_until_gone()
    until(lambda: not any(thread.name == "agent-answer" for thread in threading.enumerate()))


def test_nothing_is_asked_before_the_message_is_saved(server):
    assert not model_at(server).only_speaks
    assert model_at(server, "llama").only_speaks


@pytest.mark.parametrize("listed", ["amplifier", "llama"])
def test_the_servers_own_model_may_be_an_agent_until_its_name_is_known(server, listed):
    server.models = [listed]
    model = model_at(server, "auto")
    assert not model.only_speaks
    list(model.stream(QUESTION))
    assert model.only_speaks == (listed == "llama")
    assert model.named("auto").only_speaks == (listed == "llama")


def test_the_model_that_a_session_has_chosen_decides(server):
    backend = ChatModelBackend(model_at(server, "llama"), session_options=("model",))
    assert abilities.only_speaks(backend, SessionOptions())
    assert not abilities.only_speaks(backend, SessionOptions(model="amplifier"))


DENIAL = {"error": {"code": "approval_denied", "message": "rm is not allowed", "type": "permission_error"}}


@pytest.mark.parametrize("answer", [refuses(403, DENIAL), sends("I try.", DENIAL)])
def test_a_denial_is_the_policys_and_not_the_keys(server, answer):
    server.script(answer)
    with pytest.raises(BackendUnavailable) as caught:
        list(model_at(server).stream(QUESTION))
    assert "policy forbids" in str(caught.value)
    assert "“rm is not allowed”" in str(caught.value)
    assert "key" not in str(caught.value)


def test_another_403_is_still_the_keys(server):
    server.script(refuses(403, {"error": {"code": "forbidden", "message": "no"}}))
    with pytest.raises(BackendUnavailable, match="the key's permissions"):
        list(model_at(server, api_key="k").stream(QUESTION))


# Titles


def titles_asked(server, home, titles, name, chosen=None, **more):
    """The number of title requests after one answer, and the session's title; `chosen` is the session's own model."""
    values = {"AMPLIFIER_HOME": str(home), "WEBCHAT_BASE_URL": server.url, "WEBCHAT_MODEL": name}
    settings, _ = config.load({**values, "WEBCHAT_TITLES": titles, **more}, {})
    manager = WebChatSessionManager(from_settings(settings), home / "server" / "sessions.json")
    server.script(says("Yes."), says("A title"))
    session_id = manager.create_session(options={"model": chosen} if chosen else {}).session_id
    manager.send_message("hello", session_id)
    until(lambda: not manager.answers_in_flight)
    until(lambda: not any(thread.name.startswith("title-") for thread in threading.enumerate()))
    title = manager.get_session(session_id).description
    manager.close()
    return sum(question["messages"][-1]["content"].endswith(NAME_IT) for question in server.questions), title


@pytest.mark.parametrize(
    ("titles", "name", "expected"),
    [
        ("auto", "amplifier", (0, "hello")),
        ("auto", "agent-7", (0, "hello")),
        ("auto", "llama", (1, "A title")),
        ("on", "amplifier", (1, "A title")),
        ("off", "llama", (0, "hello")),
    ],
)
def test_an_agent_is_asked_for_titles_only_if_that_is_set(server, home, titles, name, expected):
    assert titles_asked(server, home, titles, name) == expected


@pytest.mark.parametrize(("name", "chosen"), [("auto", None), ("auto", "auto"), ("llama", "auto")])
def test_an_agent_that_the_server_chooses_is_not_asked_for_titles(server, home, name, chosen):
    server.models = ["amplifier"]
    assert titles_asked(server, home, "auto", name, chosen) == (0, "hello")


@pytest.mark.parametrize(
    ("titles", "name", "chosen", "asked"),
    [
        ("auto", "llama", None, ["llama", "tiny"]),
        ("auto", "llama", "qwen", ["qwen", "tiny"]),
        ("auto", "amplifier", None, ["amplifier", "tiny"]),
        ("auto", "auto", None, ["scripted-model", "tiny"]),
        ("off", "llama", None, ["llama"]),
    ],
)
def test_another_model_may_be_asked_for_titles(server, home, titles, name, chosen, asked):
    count, title = titles_asked(server, home, titles, name, chosen, WEBCHAT_TITLE_MODEL="tiny")
    assert [question["model"] for question in server.questions] == asked
    assert (count, title) == ((0, "hello") if titles == "off" else (1, "A title"))


def test_titles_are_on_off_or_auto(home):
    assert config.load({"AMPLIFIER_HOME": str(home)}, {})[0].titles == "auto"
    with pytest.raises(InvalidInput, match="on, off or auto"):
        config.load({"AMPLIFIER_HOME": str(home)}, {"WEBCHAT_TITLES": "perhaps"})


def test_a_function_that_says_it_is_an_agent_is_spared_too():
    class Agent:
        label, notice, is_agent = "Agent", None, True

        def stream(self, messages):
            return iter(["Title"])

    told = [
        list(ChatModelBackend(Agent(), titles=titles).suggest_title(QUESTION, SessionOptions()))
        for titles in ("auto", True)
    ]
    assert told == [[], ["Title"]]
