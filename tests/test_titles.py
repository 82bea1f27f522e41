"""Sessions named by the model: after the first answer, never in the way, never over a person's name."""

from __future__ import annotations

import threading

import pytest

from tests.reading import until
from webchat.backends import Event
from webchat.backends.chat_model import NAME_IT, ChatModelBackend
from webchat.chat.parts import Option, Permission
from webchat.errors import BackendUnavailable
from webchat.manager import WebChatSessionManager
from webchat.replies.title_text import cleaned
from webchat.replies.titles import Titles

PATIENCE = 30


class Model:
    """Answers "Yes." to everything, and the test's text when asked for a title."""

    label, notice = "Model", None

    def __init__(self) -> None:
        self.answer = ["Yes."]
        self.title = ["Tea", " in China"]
        self.gate = threading.Event()
        self.gate.set()
        self.asked: list[list[str]] = []
        self.naming = threading.Event()

    def stream(self, messages):
        self.asked.append([message["content"] for message in messages])
        if messages[-1]["content"] != NAME_IT:
            return iter(self.answer)
        self.naming.set()
        return self._title()

    def _title(self):
        for piece in self.title:
            assert self.gate.wait(PATIENCE)
            if isinstance(piece, Exception):
                raise piece
            yield piece


@pytest.fixture
def model():
    model = Model()
    yield model
    model.gate.set()


@pytest.fixture
def manager(model, home):
    manager = WebChatSessionManager(ChatModelBackend(model, titles=True), home / "server" / "sessions.json")
    yield manager
    manager.close()


def named(manager, session_id, title):
    """Wait until the session has that title."""
    until(lambda: manager.get_session(session_id).description == title)


def asked_for_titles(model):
    return [messages for messages in model.asked if messages[-1] == NAME_IT]


def test_the_first_line_is_the_title_at_once_and_a_short_one_comes(manager, model):
    model.gate.clear()
    session_id = manager.create_session().session_id
    manager.send_message("Tell me of tea", session_id)
    assert manager.get_session(session_id).description == "Tell me of tea"
    model.gate.set()
    named(manager, session_id, "Tea in China")
    assert asked_for_titles(model) == [["Tell me of tea", "Yes.", NAME_IT]]
    assert [message.content for message in manager.conversation(session_id).messages] == ["Tell me of tea", "Yes."]


def test_it_is_asked_for_once(manager, model):
    session_id = manager.create_session().session_id
    manager.send_message("one", session_id)
    named(manager, session_id, "Tea in China")
    manager.send_message("two", session_id)
    manager.send_message("three", session_id)
    assert len(asked_for_titles(model)) == 1
    assert model.asked[-1] == ["one", "Yes.", "two", "Yes.", "three"]


def test_a_persons_name_is_never_replaced(manager, model):
    model.gate.clear()
    session_id = manager.create_session().session_id
    manager.send_message("one", session_id)
    assert model.naming.wait(PATIENCE)
    manager.housekeeping.rename(session_id, "Mine")
    model.gate.set()
    other = manager.create_session().session_id
    manager.send_message("two", other)
    named(manager, other, "Tea in China")
    assert manager.get_session(session_id).description == "Mine"
    manager.send_message("more", session_id)
    assert len(asked_for_titles(model)) == 2


def test_nor_one_that_it_was_made_with_nor_in_a_session_that_was_forked(manager, model):
    made = manager.create_session(description="Given").session_id
    manager.send_message("one", made)
    manager.housekeeping.rename(made, "Mine")
    fork = manager.fork(made, manager.conversation(made).last.id)
    manager.send_message("two", fork.session_id)
    last = manager.create_session().session_id
    manager.send_message("three", last)
    named(manager, last, "Tea in China")
    assert manager.get_session(fork.session_id).description == "Mine"
    assert len(asked_for_titles(model)) == 1


def test_the_next_message_does_not_wait_for_it_and_it_comes_later(manager, model):
    model.gate.clear()
    session_id = manager.create_session().session_id
    manager.send_message("one", session_id)
    assert model.naming.wait(PATIENCE)
    assert manager.send_message("two", session_id) == "Yes."
    model.gate.set()
    named(manager, session_id, "Tea in China")


def test_it_steps_aside_for_a_message_that_comes_while_it_is_still_to_be_asked_for(model, home):
    begun, go_on = threading.Semaphore(0), threading.Event()

    class SlowToAsk(ChatModelBackend):
        def suggest_title(self, history, options):
            begun.release()
            assert go_on.wait(PATIENCE)
            return super().suggest_title(history, options)

    manager = WebChatSessionManager(SlowToAsk(model, titles=True), home / "server" / "sessions.json")
    session_id = manager.create_session().session_id
    manager.send_message("one", session_id)
    assert begun.acquire(timeout=PATIENCE)
    manager.send_message("two", session_id)
    assert begun.acquire(timeout=PATIENCE)
    go_on.set()
    named(manager, session_id, "Tea in China")
    manager.close()
    assert [asked[0] for asked in asked_for_titles(model)] == ["one"]
    assert "two" in asked_for_titles(model)[0]


@pytest.mark.parametrize("said", [[], [""], ["\n\n"], ['""'], [BackendUnavailable("away")], [ValueError("broken")]])
def test_without_a_good_title_the_first_line_stays(manager, model, said):
    model.title = said
    session_id = manager.create_session().session_id
    manager.send_message("one", session_id)
    assert model.naming.wait(PATIENCE)
    manager.close()
    assert manager.get_session(session_id).description == "one"


@pytest.mark.parametrize(
    "said",
    [
        ["Here is a title:\n", "\n", '"Po', 'ds"\n', "x" * 1000],
        ["```json\n", '{"title":', ' "Pods"}\n', "```"],
        ["<think>", "hm " * 1000, "</think>", "Pods\n", "and more"],
        ["Hm, what?", Event("reasoned"), "Pods"],
    ],
)
def test_the_title_is_found_in_what_comes_piece_by_piece(manager, model, said):
    model.title = said
    session_id = manager.create_session().session_id
    manager.send_message("one", session_id)
    named(manager, session_id, "Pods")


@pytest.mark.parametrize(
    "said", [["Hm, ", "what?\n", "</thi", "nk>\n", "Pods"], ["Hm, what?\n" * 99, Event("reasoned"), "Pods\n"]]
)
def test_what_only_turns_out_to_be_reasoning_is_no_title(manager, model, said):
    model.answer = [Event("reasoning", "Hm."), "Yes."]
    model.title = said
    session_id = manager.create_session().session_id
    manager.send_message("one", session_id)
    named(manager, session_id, "Pods")


def test_a_model_that_never_ends_is_not_listened_to_for_ever(manager, model):
    model.title = ["word "] * 100_000
    session_id = manager.create_session().session_id
    manager.send_message("one", session_id)
    until(lambda: manager.get_session(session_id).description != "one")
    assert len(manager.get_session(session_id).description) <= 80


def test_a_backend_that_names_nothing_is_not_asked(model, home):
    manager = WebChatSessionManager(ChatModelBackend(model), home / "server" / "sessions.json")
    manager.send_message("one", manager.create_session().session_id)
    manager.close()
    assert asked_for_titles(model) == []


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("Tea in China", "Tea in China"),
        ('"Tea in China."', "Tea in China"),
        ("**Tea in China**", "Tea in China"),
        ("# Tea in China", "Tea in China"),
        ("Title: Tea in China", "Tea in China"),
        ("**Title:** Tea in China", "Tea in China"),
        ("„Tee in China“", "Tee in China"),
        ('Here is a title:\n\n"Pods"', "Pods"),
        ('Here is a title: "Pods"', "Pods"),
        ("Sure! Here's a short title for this conversation:\n**Pods**", "Pods"),
        ("Certainly, here is one: Pods", "Pods"),
        ('{"title": "Pods"}', "Pods"),
        ('```json\n{\n  "title": "Pods"\n}\n```', "Pods"),
        ('Here you go:\n{"name": "Pods", "emoji": "x"}', "Pods"),
        ("**Title: Pods**", "Pods"),
        ("**Title:** **Pods**", "Pods"),
        ("*Chat title: Pods.*", "Pods"),
        ('Title: {"title": "Pods"}', "Pods"),
        ('{"title": "Pods"', "Pods"),
        ('{"title": "Pods", "emo', "Pods"),
        ('{\n  "title": "Pods"\n}\n\nI hope this helps!', "Pods"),
        ('```json\n{"title": "Pods"}\n```\nI hope this helps!', "Pods"),
        ('{"title": "Pods', "Pods"),
        ('```json\n{\n  "title": "Pods, No', "Pods, No"),
        ('{"emoji": "x", "title": "Pods', "Pods"),
        ('{"title": "Pods", "emoji": "\\u00', "Pods"),
        ('{"emoji": "x", "title": "Pods", "tags": ["a", "b', "Pods"),
        ('{"title": "Pods"} and more', "Pods"),
        ('Title: {"emoji": "x", "title": "Pods"}. I hope this helps!', "Pods"),
        ("{Pods} and {Nodes}", "{Pods} and {Nodes}"),
        ("[Pods] explained", "[Pods] explained"),
        ('["a"] in JSON', '["a"] in JSON'),
        ('{"a": "b"} in JSON', '{"a": "b"} in JSON'),
        ('["Pods", "Nodes"]', "Pods"),
        ("```\nPods\n```", "Pods"),
        ("<name>Pods</name>", "Pods"),
        ("<title lang='en'>\nPods\n</title>", "Pods"),
        ("<think>Which?</think>Pods", "Pods"),
        ("Which?\n</think>\n\nPods", "Pods"),
        ("<session>\n<name>Pods</name>\n</session>", "Pods"),
        ("<title>Pods", "Pods"),
        ("标题：Pod", "Pod"),
        ("A good title would be: **Pods**", "Pods"),
        ('The title is "Pods".', "Pods"),
        ("Voici un titre : « Pods »", "Pods"),
        ("标题可以是：《Pod》", "Pod"),
        ("标题: 《Pod》", "Pod"),
        ("Titel: Pods", "Pods"),
        ("**Conversation title**: Pods", "Pods"),
        ("- Pods", "Pods"),
        ("## Pods ##", "Pods"),
        ("***Pods***", "Pods"),
        ("`Pods`", "Pods"),
        ("Pods\n\nI hope you like it.", "Pods"),
        ("Docker - basics", "Docker - basics"),
        ("The title is a string", "The title is a string"),
        ("The title tag: a guide", "The title tag: a guide"),
        ('Docker: "the basics"', 'Docker: "the basics"'),
        ("<b>a</b> and <b>c</b>", "<b>a</b> and <b>c</b>"),
        ("<title> in HTML", "<title> in HTML"),
        ("2 * 3", "2 * 3"),
        ("Learning C#", "Learning C#"),
        ("Learning C#.", "Learning C#"),
        ('"Learning C#"', "Learning C#"),
        (".NET Basics", ".NET Basics"),
        ("__init__ in Python", "__init__ in Python"),
        ("__init__", "__init__"),
        ("_snake_case_ names", "_snake_case_ names"),
        ('"A" and "B"', '"A" and "B"'),
        ("*args and **kwargs", "*args and **kwargs"),
        ("<div> and <span>", "<div> and <span>"),
        ("Wait for it...", "Wait for it..."),
        ("C++: an introduction", "C++: an introduction"),
        ("Titles: how to write them", "Titles: how to write them"),
        ("{} in JavaScript", "{} in JavaScript"),
        ("[1, 2] in Python", "[1, 2] in Python"),
        ("It is here: a map", "It is here: a map"),
        ("Here is", "Here is"),
        ("Title:", "Title:"),
        ("中国的茶", "中国的茶"),
        ("\u202eevil", "evil"),
        ("  ", ""),
        ('"."', ""),
    ],
)
def test_what_models_put_around_a_title_is_left_out(said, title):
    assert cleaned(said) == title


class Endless:
    """A server that streams forever without text, until it is told to end."""

    def __init__(self):
        self.over = threading.Event()

    def __iter__(self):
        while not self.over.wait(0.01):
            yield ""

    def cancel(self):
        self.over.set()


def test_a_model_that_never_comes_to_a_title_is_not_listened_to_for_ever(manager):
    endless, done = Endless(), threading.Event()
    session = manager.get_session(manager.create_session().session_id)
    titles = Titles(manager.store, lambda session_id: None, longest=0.05, most_pieces=10**9)
    titles.suggest(session, lambda: endless, done.set)
    assert endless.over.wait(PATIENCE)
    assert done.wait(PATIENCE)
    assert manager.get_session(session.session_id).description == session.description


def test_a_title_that_asks_a_question_is_given_up(home):
    closed = threading.Event()

    def agent(messages):
        if messages[-1]["content"] != NAME_IT:
            yield "Yes."
            return
        try:
            yield "Tea"
            yield Permission("ask-1", "Read the notes?", (Option("yes", "Read"),))
        finally:
            closed.set()

    manager = WebChatSessionManager(ChatModelBackend(agent, titles=True), home / "server" / "sessions.json")
    session_id = manager.create_session("~").session_id
    manager.send_message("Tell me about tea", session_id)
    assert closed.wait(PATIENCE)
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("title-")])
    assert not manager.store.require(session_id).title_by
    manager.close()
