"""Any function can answer, asynchronous or not; a stop ends its answer at once; its errors are reported in words."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from contextvars import ContextVar

import pytest

from tests.processes import ROOT
from tests.reading import until
from webchat import WebChatSessionManager
from webchat.backends import Event
from webchat.backends.chat_model import ChatModelBackend
from webchat.backends.relay import AHEAD
from webchat.chat.parts import Note, Option, Output, Permission, Reasoning, Text, ToolCall
from webchat.errors import BackendUnavailable, Unforeseen


def answer_of(function, message="Hi"):
    backend = ChatModelBackend(function)
    return backend.send_message(backend.create_session("~", "").session_id, message)


class Reader:
    """Reads an answer in a thread; `begun` is set by its first piece."""

    def __init__(self, answer):
        self.pieces, self.begun = [], threading.Event()
        self._answer = answer
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for piece in self._answer:
            self.pieces.append(piece)
            self.begun.set()

    def has_ended(self):
        self._thread.join(10)
        return not self._thread.is_alive()


async def coroutine(messages):
    await asyncio.sleep(0)
    return "Hel" + "lo"


async def async_generator(messages):
    yield "Hel"
    await asyncio.sleep(0)
    yield "lo"


async def awaited_generator(messages):
    return async_generator(messages)


async def awaited_list(messages):
    return ["Hel", None, "lo"]


class Agent:
    """An agent that a reader of the documentation might write as a class."""

    async def stream(self, messages):
        yield "Hello"


@pytest.mark.parametrize(
    "function",
    [
        coroutine,
        async_generator,
        awaited_generator,
        awaited_list,
        lambda messages: async_generator(messages),
        lambda messages: coroutine(messages),
        lambda messages: "Hello",
        lambda messages: (piece for piece in ("Hel", None, "lo")),
        Agent(),
    ],
)
def test_every_kind_of_function_answers(function):
    assert "".join(answer_of(function)) == "Hello"


@pytest.mark.parametrize("function", [lambda messages: None, lambda messages: [None]])
def test_none_is_nothing(function):
    assert list(answer_of(function)) == []


def test_all_answers_run_on_one_loop():
    loops = []

    async def agent(messages):
        loops.append((asyncio.get_running_loop(), threading.get_ident()))
        yield "Fine."

    for function in (agent, agent, lambda messages: agent(messages)):
        list(answer_of(function))
    assert len(loops) == 3
    assert len(set(loops)) == 1


def test_the_loop_is_made_anew_in_a_process_that_was_forked():
    code = """if True:
        import os
        from tests.test_any_function import answer_of, async_generator
        assert list(answer_of(async_generator)) == ["Hel", "lo"]
        child = os.fork()
        said = list(answer_of(async_generator))
        if not child:
            os._exit(0 if said == ["Hel", "lo"] else 1)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "CI": ""}, timeout=60)
    assert done.returncode == 0


def test_an_agent_that_breaks_off_the_loop_leaves_the_other_answers_alone():
    async def rude(messages):
        async def leave():
            raise SystemExit

        asyncio.get_running_loop().create_task(leave())
        await asyncio.Event().wait()
        yield "Never"

    reader = Reader(answer := answer_of(rude))
    assert list(answer_of(async_generator)) == ["Hel", "lo"]
    answer.cancel()
    assert reader.has_ended()


def test_a_function_knows_what_its_request_knows():
    name = ContextVar("name", default="nobody")

    async def asynchronous(messages):
        yield name.get()

    token = name.set("Ada")
    said = [list(answer_of(function)) for function in (asynchronous, lambda messages: [name.get()])]
    name.reset(token)
    assert said == [["Ada"], ["Ada"]]


def test_a_stop_ends_an_answer_whose_function_hangs():
    gate, closed = threading.Event(), threading.Event()

    def hanging(messages):
        try:
            yield "Hal"
            gate.wait(60)
            yield "lo"
        finally:
            closed.set()

    reader = Reader(answer := answer_of(hanging))
    assert reader.begun.wait(10)
    answer.cancel()
    assert reader.has_ended()
    assert reader.pieces == ["Hal"]
    assert not closed.is_set()
    gate.set()
    assert closed.wait(10)


def test_a_stop_ends_an_answer_whose_function_hangs_before_its_first_piece():
    entered, gate = threading.Event(), threading.Event()

    def hanging(messages):
        entered.set()
        gate.wait(60)
        return "Too late"

    reader = Reader(answer := answer_of(hanging))
    assert entered.wait(10)
    answer.cancel()
    assert reader.has_ended()
    gate.set()


def test_a_stop_cancels_a_task():
    cancelled = threading.Event()

    async def waiting(messages):
        yield "Hal"
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    reader = Reader(answer := answer_of(waiting))
    assert reader.begun.wait(10)
    answer.cancel()
    assert reader.has_ended()
    assert cancelled.wait(10)


def test_a_stop_ends_an_answer_whose_task_does_not_let_itself_be_cancelled():
    gate, ended = threading.Event(), threading.Event()

    async def stubborn(messages):
        yield "Hal"
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            while not gate.is_set():
                await asyncio.sleep(0.001)
        ended.set()
        yield "lo"

    reader = Reader(answer := answer_of(stubborn))
    assert reader.begun.wait(10)
    answer.cancel()
    assert reader.has_ended()
    assert reader.pieces == ["Hal"]
    gate.set()
    assert ended.wait(10)


def test_an_answer_that_nobody_reads_on_is_not_made_without_end():
    made = {"thread": 0, "loop": 0}
    closed = {"thread": threading.Event(), "loop": threading.Event()}

    def endless(messages):
        try:
            while True:
                made["thread"] += 1
                yield "on and "
        finally:
            closed["thread"].set()

    async def endless_task(messages):
        try:
            while True:
                made["loop"] += 1
                yield "on and "
        finally:
            closed["loop"].set()

    for function in (endless, endless_task):
        pieces = iter(answer_of(function))
        assert [next(pieces) for _ in range(3 * AHEAD)] == ["on and "] * 3 * AHEAD
        assert list(answer_of(async_generator)) == ["Hel", "lo"]
        pieces.close()
    assert all(event.wait(10) for event in closed.values())
    assert max(made.values()) <= 4 * AHEAD + 1


def test_parts_are_passed_on_and_only_text_is_remembered():
    call = ToolCall("1", "weather", status="done", output=(Output("22 degrees"),))
    asked = []

    def agent(messages):
        asked.append([message["content"] for message in messages])
        yield from (Reasoning("Hmm"), Text("Let me look."), call, Note("Nearly done"), "It is ", "warm.")

    backend = ChatModelBackend(agent)
    session_id = backend.create_session("~", "").session_id
    given = list(backend.send_message(session_id, "Hi"))
    assert given == [Event("reasoning", "Hmm"), "Let me look.", call, Event("note", "Nearly done"), "It is ", "warm."]
    list(backend.send_message(session_id, "And now?"))
    assert asked[1] == ["Hi", "Let me look.\n\nIt is warm.", "And now?"]


ASKED = Permission("ask-1", "Delete it?", (Option("yes", "Delete"), Option("no", "Keep")))


def asks(messages):
    choice = yield ASKED
    again = yield Permission("ask-2", f"Really {choice}?", ASKED.options)
    yield f"First {choice}, then {again}."


async def asks_on_the_loop(messages):
    choice = yield ASKED
    again = yield Permission("ask-2", f"Really {choice}?", ASKED.options)
    yield f"First {choice}, then {again}."


def asks_within(messages):
    yield "Let me see."
    yield from asks(messages)


ASKING = pytest.mark.parametrize("agent", [asks, asks_on_the_loop, asks_within, lambda messages: asks(messages)])


def open_question(manager, session_id):
    return next(iter(manager.conversation(session_id).last.questions), None)


@ASKING
def test_a_generators_question_returns_what_the_person_has_chosen(agent):
    manager = WebChatSessionManager(ChatModelBackend(agent))
    session_id = manager.create_session().session_id
    posted = manager.post_message(session_id, "Clean up")
    until(lambda: open_question(manager, session_id) == ASKED)
    manager.answer_permission(session_id, "ask-1", "yes")
    until(lambda: getattr(open_question(manager, session_id), "title", "") == "Really yes?")
    manager.answer_permission(session_id, "ask-2", "no")
    posted.wait()
    answer = manager.conversation(session_id).last
    assert (answer.status, answer.content.endswith("First yes, then no.")) == ("complete", True)
    manager.close()


@ASKING
def test_a_stop_ends_an_answer_whose_generator_waits_for_a_choice(agent):
    manager = WebChatSessionManager(ChatModelBackend(agent))
    session_id = manager.create_session().session_id
    posted = manager.post_message(session_id, "Clean up")
    until(lambda: open_question(manager, session_id))
    manager.stop(session_id)
    posted.wait()
    answer = manager.conversation(session_id).last
    assert (answer.status, answer.questions) == ("stopped", ())
    manager.close()


def asks_twice(messages):
    yield ASKED
    yield ASKED


async def asks_twice_on_the_loop(messages):
    yield ASKED
    yield ASKED


@pytest.mark.parametrize("agent", [asks_twice, asks_twice_on_the_loop])
def test_a_second_question_with_the_same_id_ends_the_answer_with_a_sentence(agent):
    manager = WebChatSessionManager(ChatModelBackend(agent))
    session_id = manager.create_session().session_id
    posted = manager.post_message(session_id, "Clean up")
    until(lambda: open_question(manager, session_id))
    manager.answer_permission(session_id, "ask-1", "yes")
    assert posted.wait(30)
    answer = manager.conversation(session_id).last
    assert (answer.status, answer.questions) == ("failed", ())
    assert "two questions with the id 'ask-1'" in answer.error
    manager.close()


def test_a_question_of_what_is_no_generator_goes_on_unanswered():
    assert list(answer_of(lambda messages: [ASKED, "Never mind."])) == [ASKED, "Never mind."]


class Chunk:
    pass


class AIMessageChunk:
    pass


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([Chunk()], "Your function gave a Chunk, not text, an Event or a part of an answer."),
        ([AIMessageChunk()], "Your function gave an AIMessageChunk, not"),
        (Chunk(), "Your function gave a Chunk, not"),
        ({"content": "Hello"}, "Your function gave a dict, not"),
        (b"Hello", "Your function gave a bytes, not"),
        ([Event("status", None)], "Your function gave an Event whose text is a NoneType."),
    ],
)
def test_what_is_no_piece_is_named(wrong, said):
    with pytest.raises(BackendUnavailable) as problem:
        list(answer_of(lambda messages: wrong))
    assert str(problem.value).startswith(said)


def test_an_agent_that_is_no_function_is_refused_at_once():
    with pytest.raises(TypeError, match=r"Chunk is not a function and has no stream\(\): see webchat.frameworks"):
        ChatModelBackend(Chunk())


class HTTPError(Exception):
    def __init__(self, **told):
        super().__init__("Incorrect API key: sk-secret")
        self.__dict__ |= told


class Response:
    def __init__(self, status_code, **headers):
        self.status_code, self.headers = status_code, headers


class APIConnectionError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (HTTPError(status_code=401), "did not accept the key. Check it where the agent is set up."),
        (HTTPError(response=Response(403)), "does not allow this with the configured key."),
        (HTTPError(code=429), "is limiting requests. Try again later."),
        (HTTPError(status_code=429, response=Response(429, **{"retry-after": "7"})), "Try again in 7 seconds."),
        (HTTPError(status_code=503), "has an internal problem (HTTP 503). Try again in a moment."),
        (HTTPError(status_code=404), "refused the question (HTTP 404). Check the agent's model and settings."),
        (HTTPError(status_code=413), "The conversation is longer than the model's context."),
        (ExceptionGroup("several", [HTTPError(code="1"), HTTPError(status_code=401)]), "did not accept the key."),
        (APIConnectionError("at sk-secret"), "The agent cannot reach its model."),
        (asyncio.CancelledError("sk-secret"), "The agent aborted its answer. Try again."),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_refusal_is_told_in_a_sentence_without_secrets(error, said, wrapped):
    async def asynchronous(messages):
        yield "So far"
        fail()

    def fail():
        if not wrapped:
            raise error
        try:
            raise error
        except BaseException as cause:
            raise (type(cause) if isinstance(cause, asyncio.CancelledError) else KeyError)("sk-secret") from cause

    for function in (asynchronous, lambda messages: fail()):
        with pytest.raises(BackendUnavailable) as problem:
            list(answer_of(function))
        assert said in str(problem.value)
        assert "secret" not in str(problem.value)


def test_an_error_that_says_nothing_is_passed_on():
    async def broken(messages):
        raise KeyError("what")

    with pytest.raises(KeyError):
        list(answer_of(broken))


def test_an_agents_value_error_does_not_say_that_the_session_has_ended():
    with pytest.raises(Unforeseen):
        list(answer_of(lambda messages: int("x")))
