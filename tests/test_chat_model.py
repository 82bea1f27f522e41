"""A model without memory as a backend: what it is sent, and which parts of answers are kept."""

from __future__ import annotations

import threading

import pytest

from webchat.backends import Event
from webchat.backends.chat_model import MAX_SESSIONS, UNANSWERED, ChatModelBackend
from webchat.errors import BackendUnavailable, SessionUnknown


class ScriptedModel:
    """Answers from a queue: text, an Event, an exception to raise, or an Event of threading to wait for."""

    label = "scripted"
    notice = None

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.streams = []

    def stream(self, messages):
        self.asked.append([(message["role"], message["content"]) for message in messages])
        self.streams.append(ScriptedStream(self.answers.pop(0) if self.answers else ["Fine."]))
        return self.streams[-1]


class ScriptedStream:
    def __init__(self, steps):
        self.steps = steps
        self.cancelled, self.closed, self.waiting = (threading.Event() for _ in range(3))

    def __iter__(self):
        try:
            for step in self.steps:
                if isinstance(step, Exception):
                    raise step
                if step is WAIT:
                    self.waiting.set()
                    assert self.cancelled.wait(10)
                    raise BackendUnavailable("the connection broke off")
                yield step
        finally:
            self.closed.set()

    def cancel(self):
        self.cancelled.set()


WAIT = object()


def conversation_with(*answers, system_prompt=""):
    model = ScriptedModel(*answers)
    backend = ChatModelBackend(model, system_prompt)
    session_id = backend.create_session("~", "").session_id
    return model, backend, session_id, lambda message: list(backend.send_message(session_id, message))


def test_a_plain_function_is_enough():
    backend = ChatModelBackend(lambda messages: [messages[-1]["content"].upper()])
    session_id = backend.create_session("~", "").session_id
    assert list(backend.send_message(session_id, "hello")) == ["HELLO"]
    assert backend.label
    assert backend.notice is None


def test_a_named_function_is_called_by_its_name():
    def parrot(messages):
        yield "Hello"

    assert ChatModelBackend(parrot).label == "parrot"


def test_pieces_and_events_are_passed_on_and_only_text_is_remembered():
    thought = Event("reasoning", "Hmm")
    model, _, _, say = conversation_with([thought, "Hel", "lo", Event("finish", "stop")])
    assert say("Hi") == [thought, "Hel", "lo", Event("finish", "stop")]
    say("Again")
    assert model.asked[1] == [("user", "Hi"), ("assistant", "Hello"), ("user", "Again")]


def test_the_system_prompt_is_said_first():
    model, _, _, say = conversation_with(system_prompt="Be brief.")
    say("Hi")
    say("Again")
    assert [asked[0] for asked in model.asked] == [("system", "Be brief.")] * 2
    assert [role for role, _ in model.asked[1]] == ["system", "user", "assistant", "user"]


def test_a_question_without_an_answer_is_not_made_one_with_the_next():
    model, backend, session_id, say = conversation_with()
    said = [("user", "One"), ("user", "Two"), ("assistant", "Three"), ("assistant", "Four"), ("user", "Five")]
    history = [{"role": role, "content": content} for role, content in said]
    backend.resume_session(session_id, history)
    say("Six")
    assert model.asked[0] == [
        ("user", "One"),
        ("assistant", UNANSWERED),
        ("user", "Two"),
        ("assistant", "Three\n\nFour"),
        ("user", "Five"),
        ("assistant", UNANSWERED),
        ("user", "Six"),
    ]
    assert [item["content"] for item in history] == ["One", "Two", "Three", "Four", "Five"]


@pytest.mark.parametrize("stopped", ["", " \n"])
def test_empty_messages_and_foreign_roles_are_left_out(stopped):
    model, backend, session_id, say = conversation_with()
    history = [{"role": "user", "content": "One"}, {"role": "assistant", "content": stopped}]
    backend.resume_session(session_id, [*history, {"role": "tool", "content": "x"}, {"role": "user", "content": None}])
    say("Two")
    assert model.asked[0] == [("user", "One"), ("assistant", UNANSWERED), ("user", "Two")]


def test_a_failed_answer_leaves_neither_question_nor_answer():
    model, _, _, say = conversation_with(["Hal", BackendUnavailable("down")])
    with pytest.raises(BackendUnavailable, match="down"):
        say("Hi")
    say("Again")
    assert model.asked[1] == [("user", "Again")]
    assert model.streams[0].closed.is_set()


def test_a_model_that_fails_when_it_is_called_fails_the_answer():
    def broken(messages):
        raise BackendUnavailable("down")

    backend = ChatModelBackend(broken)
    session_id = backend.create_session("~", "").session_id
    with pytest.raises(BackendUnavailable):
        list(backend.send_message(session_id, "Hi"))


def test_a_cancelled_answer_is_remembered_as_far_as_it_came():
    model, backend, session_id, say = conversation_with(["Hal", WAIT])
    answer = backend.send_message(session_id, "Hi")
    pieces = []
    reader = threading.Thread(target=lambda: pieces.extend(answer), daemon=True)
    reader.start()
    while not model.streams:
        reader.join(0.001)
    assert model.streams[0].waiting.wait(10)
    answer.cancel()
    reader.join(10)
    assert pieces == ["Hal"]
    say("Go on")
    assert model.asked[1] == [("user", "Hi"), ("assistant", "Hal"), ("user", "Go on")]


def test_an_answer_cancelled_before_it_began_asks_no_model():
    model, backend, session_id, _ = conversation_with()
    answer = backend.send_message(session_id, "Hi")
    answer.cancel()
    assert list(answer) == []
    assert model.asked == []


def test_a_model_that_was_cancelled_while_it_was_called_is_cancelled_when_it_returns():
    entered, leave = threading.Event(), threading.Event()
    stream = ScriptedStream(["Never read"])

    def slow(messages):
        entered.set()
        assert leave.wait(10)
        return stream

    backend = ChatModelBackend(slow)
    answer = backend.send_message(backend.create_session("~", "").session_id, "Hi")
    pieces = []
    reader = threading.Thread(target=lambda: pieces.extend(answer), daemon=True)
    reader.start()
    assert entered.wait(10)
    answer.cancel()
    leave.set()
    reader.join(10)
    assert pieces == []
    assert stream.cancelled.wait(10)


def test_an_abandoned_answer_is_ended_at_the_model_and_remembered_as_far_as_it_came():
    model, backend, session_id, say = conversation_with(["Hal", "lo"])
    answer = backend.send_message(session_id, "Hi")
    for _piece in answer:
        break
    assert model.streams[0].closed.is_set()
    assert model.streams[0].cancelled.is_set()
    say("Go on")
    assert model.asked[1] == [("user", "Hi"), ("assistant", "Hal"), ("user", "Go on")]


def test_a_plain_generator_is_closed_when_its_answer_is_abandoned():
    closed, generators = threading.Event(), []

    def letters():
        try:
            yield from "abc"
        finally:
            closed.set()

    def model(messages):
        generators.append(letters())
        return generators[0]

    backend = ChatModelBackend(model)
    for _piece in backend.send_message(backend.create_session("~", "").session_id, "Hi"):
        break
    assert closed.wait(10)


def test_resuming_while_an_answer_runs_keeps_the_new_history_clean():
    model, backend, session_id, say = conversation_with(["Old ", "answer"])
    pieces = iter(backend.send_message(session_id, "Old question"))
    next(pieces)
    backend.resume_session(session_id, [{"role": "user", "content": "New"}, {"role": "assistant", "content": "Yes"}])
    list(pieces)
    say("Next")
    assert model.asked[1] == [("user", "New"), ("assistant", "Yes"), ("user", "Next")]


def test_the_history_given_to_resume_stays_the_callers():
    _, backend, session_id, say = conversation_with()
    history = [{"role": "user", "content": "One"}]
    backend.resume_session(session_id, history)
    say("Two")
    assert history == [{"role": "user", "content": "One"}]


def test_resume_keeps_the_folder_of_a_known_session():
    backend = ChatModelBackend(ScriptedModel())
    created = backend.create_session("~/work", "")
    backend.end_session(created.session_id)
    assert backend.resume_session(created.session_id, []) == created


def test_the_sessions_used_last_are_remembered_and_older_ones_become_unknown():
    backend = ChatModelBackend(ScriptedModel())
    first, second = (backend.create_session("~", "").session_id for _ in range(2))
    for _ in range(MAX_SESSIONS - 2):
        backend.create_session("~", "")
    list(backend.send_message(first, "Still here"))
    backend.create_session("~", "")
    assert backend.get_session_info(first)
    assert backend.get_session_info(second) is None
    with pytest.raises(SessionUnknown):
        backend.send_message(second, "Still here?")


def test_histories_are_bounded_by_their_size_too_and_the_one_used_last_is_kept():
    backend = ChatModelBackend(ScriptedModel(), max_bytes=10_000)
    for name in ("one", "two", "three"):
        backend.resume_session(name, [{"role": "user", "content": "x" * 4_000}])
    with pytest.raises(SessionUnknown):
        backend.send_message("one", "hello")
    list(backend.send_message("two", "x" * 4_000))  # the text counts, whatever comes with it
    with pytest.raises(SessionUnknown):
        backend.send_message("three", "hello")
    backend.resume_session("four", [{"role": "user", "content": "x" * 20_000}])
    assert list(backend.send_message("four", "hello")) == ["Fine."]
    with pytest.raises(SessionUnknown):
        backend.send_message("two", "hello")


def test_many_threads_may_use_many_sessions():
    backend = ChatModelBackend(lambda messages: [f"{len(messages)}"])
    answers = {}

    def talk(number):
        session_id = backend.create_session("~", "").session_id
        answers[number] = [list(backend.send_message(session_id, "Hi")) for _ in range(20)]

    threads = [threading.Thread(target=talk, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert list(answers.values()) == [[[str(2 * turn + 1)] for turn in range(20)]] * 8


def test_what_the_model_says_of_itself_and_its_hooks_are_passed_on():
    class Model(ScriptedModel):
        label = "gpt-x at example.com"
        notice = "Not yet"
        closed = False

        def start(self, report):
            report("loading", 0.5)

        def close(self):
            self.closed = True

    model, reports = Model(), []
    backend = ChatModelBackend(model)
    backend.start(lambda text, progress: reports.append((text, progress)))
    backend.close()
    assert (backend.label, backend.notice, reports) == ("gpt-x at example.com", "Not yet", [("loading", 0.5)])
    assert model.closed


def test_hooks_that_a_model_does_not_have_do_nothing():
    backend = ChatModelBackend(ScriptedModel())
    backend.start(print)
    backend.close()
