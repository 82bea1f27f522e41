"""The page's stream: it updates every open page to what a fresh one would show, from any position."""

from __future__ import annotations

import json
import re
import threading

import pytest
from bs4 import BeautifulSoup

from tests.conftest import HTMX
from tests.reading import parse_events, until
from tests.scripted import ScriptedBackend
from tests.tab import PATIENCE, EventStream, OpenTab
from webchat import create_app
from webchat.backends import Event
from webchat.errors import BackendUnavailable
from webchat.web.following import ConversationStream

ANSWER = [
    "# Title",
    "\n\nA *para",
    "graph* with [a link](https://a.example).\nIts second line.",
    "\n\n- one\n",
    "- two\n\n  still two\n",
    "\n```python\nx",
    " = 1\n",
    "\ny = 2\n```\n",
    "\n| a | b |\n|---|---|\n",
    "| 1 | 2 |\n\nThe ",
    "end & <b>more</b>",
]


@pytest.fixture
def session_id(manager) -> str:
    """A session with a message."""
    session_id = manager.create_session().session_id
    manager.send_message("first", session_id)
    return session_id


@pytest.fixture
def open_tab(client, session_id):
    """Opens pages of the session; their streams end with the test."""
    tabs: list[OpenTab] = []

    def open_one() -> OpenTab:
        tabs.append(OpenTab(client.application.test_client(), f"/sessions/{session_id}"))
        return tabs[-1]

    yield open_one
    for tab in tabs:
        tab.close()


class Gate:
    """Holds an answer between its pieces until it may continue."""

    def __init__(self, *pieces: str) -> None:
        self._events = [threading.Event() for _ in pieces]
        self.script = [step for pair in zip(pieces, self._events, strict=True) for step in pair]

    def open(self, number: int) -> None:
        self._events[number].set()

    def open_all(self) -> None:
        for event in self._events:
            event.set()


def complete(tab: OpenTab) -> bool:
    """Whether there is a second, complete answer."""
    return len(tab.shown()) >= 4 and tab.last_status == "complete"


def settled(tab: OpenTab) -> bool:
    """Whether the first update has sent the parts around the chat, so that everything new has arrived."""
    return any(event.name == "sessions" for event in tab.events)


def about_messages(tab: OpenTab) -> list[str]:
    return [target for target in tab.targets if target != "#badge"]


# From the page's position on


def test_a_page_that_has_everything_is_sent_no_message(open_tab, manager):
    tab = open_tab().connect().read(settled)
    before = len(tab.events)
    manager.stopping.set()
    manager.storage.bus.publish_all()
    tab.read(lambda _: False)
    assert about_messages(tab) == []
    assert all(event.comment for event in tab.events[before:])


def test_the_stream_opens_with_a_comment(open_tab):
    assert open_tab().connect().events[0].comment


def test_nothing_is_lost_between_the_page_and_its_stream(open_tab, session_id, manager):
    tab = open_tab()
    manager.send_message("between", session_id)
    tab.connect().read(complete)
    assert tab.shown() == open_tab().shown()
    assert len(tab.shown()) == 4


def test_the_last_event_s_id_wins_over_the_page_s_own_position(client, open_tab, session_id, manager):
    old = open_tab()
    manager.send_message("more", session_id)
    now = open_tab()
    old_position, position = (re.search(r"after=([^&]+)", tab.stream_url)[1] for tab in (old, now))
    assert old_position != position
    old.last_id = position
    assert about_messages(old.connect().read(settled)) == []
    now.last_id = old_position
    assert about_messages(now.connect().read(settled)) != []


@pytest.mark.parametrize(
    "position",
    ["", "rubbish", "1", "1.x", "-1.x.0", "1.x.-1", "1.x.0.0.0", "1..x", "1.a b.0", "9" * 40 + "..0", "٣.x.0", "%00"],
)
def test_rubbish_for_a_position_begins_at_the_present(client, open_tab, session_id, position):
    tab = open_tab()
    tab.connect(f"/events?session={session_id}&after={position}").read(settled)
    assert about_messages(tab) == []
    tab.close()
    tab = open_tab()
    tab.last_id = position.encode().decode("latin-1")
    tab.connect().read(settled)
    assert about_messages(tab) == []


def test_a_position_that_is_not_this_session_s_brings_the_messages_anew(open_tab, session_id):
    tab = open_tab()
    tab.connect(f"/events?session={session_id}&after=1.no-such.0").read(settled)
    assert about_messages(tab) == ["#messages"]
    assert tab.shown() == open_tab().shown()


@pytest.mark.parametrize("query", ["?session=", "?session=no-such", "?session=../x", "?session=" + "x" * 5000])
def test_the_stream_of_an_unknown_session_is_not_found(client, query):
    assert client.get(f"/events{query}").status_code == 404


# While an answer grows


def test_an_answer_that_streams_becomes_what_the_finished_page_shows(open_tab, session_id, backend, manager):
    gate = Gate(*ANSWER)
    backend.plays(*gate.script)
    tab = open_tab().connect()
    manager.post_message(session_id, "question")
    for number, piece in enumerate(ANSWER):
        word = re.findall(r"\w+", piece)[-1]
        tab.read(
            lambda tab, word=word: tab.shown() and word in BeautifulSoup(tab.shown()[-1][2], "html.parser").get_text()
        )
        gate.open(number)
    tab.read(complete)
    assert tab.shown() == open_tab().shown()


@pytest.mark.parametrize("late", range(len(ANSWER)))
def test_a_page_loaded_or_reconnected_in_mid_answer_comes_to_the_same(open_tab, session_id, backend, manager, late):
    gate = Gate(*ANSWER)
    backend.plays(*gate.script)
    whole = open_tab().connect()
    posted = manager.post_message(session_id, "question")
    for number in range(late):
        gate.open(number)
    text = "".join(ANSWER[: late + 1])
    until(lambda: manager.conversation(session_id).last.content == text)
    whole.read(lambda tab: tab.last_status == "streaming")
    # One page is loaded now; the other loses its stream and resumes it.
    loaded = open_tab()
    whole.connect()
    gate.open_all()
    posted.run.wait()
    for tab in (loaded.connect(), whole):
        tab.read(complete)
        assert tab.shown() == open_tab().shown()


def test_what_the_page_has_is_not_sent_again(open_tab, session_id, backend, manager):
    gate = Gate(*ANSWER)
    backend.plays(*gate.script)
    tab = open_tab().connect()
    manager.post_message(session_id, "question")
    for number, piece in enumerate(ANSWER):
        word = re.findall(r"\w+", piece)[-1]
        tab.read(lambda tab, word=word: tab.shown() and word in tab.soup.select("#messages article")[-1].get_text())
        gate.open(number)
    tab.read(complete)
    for text in ("a link", "second line", "still two", "<th>a</th>", "<td>2</td>", "more"):
        assert sum(text in event.data for event in tab.events) == 1, text


def test_a_page_of_an_earlier_version_is_sent_swaps_only(open_tab, session_id, backend, manager):
    backend.plays(*ANSWER)
    tab = open_tab()
    tab.connect(tab.stream_url.replace("&more=1", ""))
    manager.post_message(session_id, "question")
    tab.read(complete)
    assert {event.name for event in tab.events} <= {"message", "sessions"}
    assert tab.shown() == open_tab().shown()


def test_what_changes_the_messages_has_a_position_and_none_goes_back(open_tab, session_id, backend, manager):
    backend.plays(*ANSWER)
    tab = open_tab().connect()
    manager.post_message(session_id, "question")
    tab.read(complete)
    positions = [event.id for event in tab.events if event.data and event.name == "message"]
    assert all(re.fullmatch(r"\d+\.[A-Za-z0-9_-]*\.\d+\.\d+", position) for position in positions)
    offsets = [int(position.partition(".")[0]) for position in positions]
    assert offsets == sorted(offsets)


def test_what_is_being_done_is_shown_until_the_text_comes(open_tab, session_id, backend, manager):
    gate = Gate(Event("status", "Reading the <prompt>", 0.5), "text")
    backend.plays(*gate.script)
    tab = open_tab().connect()
    manager.post_message(session_id, "question")
    tab.read(lambda tab: "Reading the <prompt>" in tab.soup.select_one("#messages").get_text())
    assert tab.soup.select_one("progress")["value"] == "0.500"
    gate.open(0)
    tab.read(lambda tab: tab.last_status == "streaming")
    assert "Reading" not in tab.soup.select_one("#messages").get_text()
    gate.open(1)
    tab.read(complete)


def test_reasoning_grows_and_notes_appear(open_tab, session_id, backend, manager):
    gate = Gate(Event("reasoning", "one <b>"), Event("reasoning", " two"), "text", Event("note", "Cut & dried."))
    backend.plays(*gate.script)
    tab = open_tab().connect()
    manager.post_message(session_id, "question")
    gate.open_all()
    tab.read(complete)
    article = tab.soup.select("#messages article")[-1]
    assert article.select_one(".reasoning .plain").get_text() == "one <b> two"
    assert article.select_one(".note").get_text() == "Cut & dried."


def test_an_answer_that_fails_shows_what_came_and_why(open_tab, session_id, backend, manager):
    backend.plays("half", BackendUnavailable("Gone & away."))
    tab = open_tab().connect()
    manager.post_message(session_id, "question")
    tab.read(lambda tab: tab.last_status == "failed")
    article = tab.soup.select("#messages article")[-1]
    assert "half" in article.get_text()
    assert "Gone & away." in article.select_one(".problem").get_text()
    assert article.select_one("form[action$='/retry']")
    assert not article.has_attr("aria-busy")


def test_a_stopped_answer_is_shown_as_stopped(open_tab, session_id, backend, manager):
    backend.plays("half", threading.Event())
    tab = open_tab().connect()
    manager.post_message(session_id, "question")
    tab.read(lambda tab: "half" in tab.soup.get_text())
    manager.stop(session_id)
    tab.read(lambda tab: tab.last_status == "stopped")
    assert tab.shown() == open_tab().shown()


@pytest.mark.parametrize(
    "separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r", "\r\n", "\n\n", "\ufeff"]
)
def test_what_ends_lines_elsewhere_breaks_no_event(open_tab, session_id, backend, manager, separator):
    backend.plays(
        f"a{separator}b", f"{separator}data: x{separator}{separator}event: y", Event("reasoning", f"r{separator}s")
    )
    tab = open_tab().connect()
    manager.post_message(session_id, f"question{separator}one")
    tab.read(complete)
    assert {event.name for event in tab.events} <= {"message", "more", "sessions"}
    assert tab.shown() == open_tab().shown()
    assert "event: y" in tab.soup.select("#messages article")[-1].get_text()


# Several tabs


def test_the_other_tab_sees_question_and_answer(open_tab, session_id, backend):
    here, there = open_tab().connect(), open_tab().connect()
    backend.plays(*ANSWER)
    here.post(f"/sessions/{session_id}/messages", message="from here")
    for tab in (here, there):
        tab.read(complete)
        assert tab.shown() == open_tab().shown()


def test_whoever_comes_second_changes_nothing(open_tab, session_id, manager):
    tab = open_tab()
    position = tab.stream_url
    answer = tab.post(f"/sessions/{session_id}/messages", message="once")
    tab.connect().read(complete)
    expected = tab.shown()
    # The form's response again, and the stream again from the page's start.
    tab.swap(answer.text)
    tab.last_id = ""
    tab.connect(position).read(settled)
    assert tab.shown() == expected == open_tab().shown()
    assert len(tab.soup.select("[id^=after-]")) == 1


def test_a_stream_that_saw_the_question_alone_brings_no_answer_twice(open_tab, session_id, manager, monkeypatch):
    tab = open_tab()
    watching = open_tab().connect()
    # Between saving the question and starting its answer, the session's use is recorded.
    touch, seen = manager.store.touch, threading.Event()
    monkeypatch.setattr(manager.store, "touch", lambda *noted: (seen.wait(PATIENCE), touch(*noted)))
    forms: list[str] = []
    client = tab.client.application.test_client()
    address = f"/sessions/{session_id}/messages"
    posting = threading.Thread(
        target=lambda: forms.append(client.post(address, data={"message": "once"}, headers=HTMX).text)
    )
    posting.start()
    watching.read(lambda tab: len(tab.shown()) == 3)
    seen.set()
    posting.join()
    watching.read(complete)
    # The form's response arrives first, then the stream's events.
    tab.swap(forms[0])
    for event in watching.events:
        tab.take(event)
    assert tab.shown() == watching.shown() == open_tab().shown()


def test_messages_from_several_tabs_come_in_their_order(open_tab, session_id, manager):
    tabs = [open_tab().connect() for _ in range(3)]
    for tab in tabs:
        tab.post(f"/sessions/{session_id}/messages", message="hi")
        tab.read(complete)
    last = manager.conversation(session_id).last.id
    for tab in tabs:
        tab.read(lambda tab: tab.shown()[-1][0] == f"m-{last}" and complete(tab))
        assert tab.shown() == open_tab().shown()
        assert len(tab.shown()) == 8


def test_what_follows_a_tabs_own_message_comes_even_where_the_stream_was_behind_both(open_tab, session_id, manager):
    tab = open_tab()
    tab.post(f"/sessions/{session_id}/messages", message="mine")
    until(lambda: manager.conversation(session_id).last.status == "complete")
    manager.post_message(session_id, "from elsewhere").wait(10)
    tab.connect().read(lambda tab: len(tab.shown()) == 6 and complete(tab))
    assert tab.shown() == open_tab().shown()


def test_a_memory_exchange_comes_to_the_other_tab_too(open_tab, session_id):
    here, there = open_tab(), open_tab().connect()
    here.post(f"/sessions/{session_id}/messages", message="remember: green tea")
    there.read(lambda tab: len(tab.shown()) == 4)
    assert here.shown() == there.shown() == open_tab().shown()


def test_an_answer_tried_again_replaces_the_old_one_in_the_other_tab(client, open_tab, session_id, backend, manager):
    backend.plays("half", RuntimeError("down"))
    tab = open_tab().connect()
    posted = manager.post_message(session_id, "question")
    tab.read(lambda tab: tab.last_status == "failed")
    client.post(f"/sessions/{session_id}/messages/{posted.reply.id}/retry")
    tab.read(lambda tab: complete(tab) and "You said: question" in tab.soup.get_text())
    assert tab.shown() == open_tab().shown()


def test_a_fork_of_long_ago_does_not_widen_what_another_tab_gets(client, open_tab, session_id, backend, manager):
    manager.edit(session_id, manager.conversation(session_id).messages[0].id, "edited").wait()
    for number in range(30):
        manager.send_message(f"number {number}", session_id)
    tab, end = open_tab().connect(), threading.Event()
    backend.plays("another answer", end, " to it")
    manager.retry(session_id, manager.conversation(session_id).last.id)
    tab.read(lambda tab: "another answer" in tab.soup.get_text())
    end.set()
    assert "number 29" in tab.soup.get_text()
    assert "edited" not in tab.soup.get_text()


def test_badge_title_and_list_follow_what_becomes_current(open_tab, session_id, manager):
    tab = open_tab().connect().read(settled)
    assert tab.soup.select_one("#badge")["data-connected"] == "true"
    tab.events.clear()
    manager.create_session()
    tab.read(settled)
    assert tab.soup.select_one("#badge")["data-connected"] == "false"


def test_the_first_message_from_elsewhere_titles_the_page(client, manager):
    session_id = manager.create_session().session_id
    tab = OpenTab(client, f"/sessions/{session_id}").connect()
    manager.send_message("a title", session_id)
    tab.read(lambda tab: any("<title>a title · Amplifier</title>" in event.data for event in tab.events))
    tab.read(lambda tab: len(tab.shown()) == 2 and tab.last_status == "complete")
    tab.close()


# Files that changed, other processes


def transcript(home, session_id):
    return home / "server" / "web-chat-transcripts" / f"{session_id}.jsonl"


@pytest.mark.files
@pytest.mark.parametrize("change", ["replaced", "shorter", "emptied", "removed"])
def test_a_transcript_that_changed_underneath_brings_the_messages_anew(open_tab, session_id, home, manager, change):
    tab = open_tab().connect().read(settled)
    file = transcript(home, session_id)
    lines = file.read_bytes().splitlines(keepends=True)
    if change == "removed":
        file.unlink()
    else:
        other = {"role": "user", "content": "something quite different " * 50, "id": "other"}
        content = {"replaced": json.dumps(other).encode() + b"\n", "shorter": lines[0], "emptied": b""}[change]
        fresh = file.with_suffix(".new")
        fresh.write_bytes(content)
        fresh.replace(file)
    tab.read(lambda tab: "#messages" in tab.targets)
    assert about_messages(tab) == ["#messages"]
    assert tab.shown() == open_tab().shown()
    # And it continues from there, with the stream that the new messages bring.
    position = tab.stream_url
    manager.send_message("go on", session_id)
    tab.read(lambda tab: "You said: go on" in tab.soup.get_text() and tab.last_status == "complete")
    tab.last_id = ""
    tab.connect(position).read(settled)
    assert tab.shown() == open_tab().shown()


@pytest.mark.files
def test_damage_between_page_and_stream_is_said_and_said_once(open_tab, session_id, home):
    tab, healthy = open_tab(), open_tab()
    with transcript(home, session_id).open("a") as file:
        file.write("no record\n")
    tab.connect().read(lambda tab: "#messages" in tab.targets)
    assert "could not be read" in tab.soup.select_one("#messages .note").get_text()
    tab.events.clear()
    tab.last_id = ""
    tab.connect().read(settled)
    assert about_messages(tab) == []
    assert "could not be read" not in healthy.soup.get_text()


@pytest.fixture
def other(home):
    """Another process's application on the same files."""
    app = create_app({"AMPLIFIER_HOME": str(home), "TESTING": True}, backend=ScriptedBackend())
    yield app
    app.extensions["webchat"].close()


def test_what_another_process_writes_is_seen(open_tab, session_id, other):
    gate = Gate(*ANSWER)
    elsewhere = other.extensions["webchat"]
    elsewhere.backend.plays(*gate.script)
    tab = open_tab().connect()
    elsewhere.post_message(session_id, "from elsewhere")
    tab.read(lambda tab: tab.last_status == "streaming")
    gate.open_all()
    tab.read(complete)
    assert tab.shown() == open_tab().shown()


def test_a_stream_is_taken_up_by_another_process(open_tab, session_id, backend, manager, other):
    gate = Gate(*ANSWER)
    backend.plays(*gate.script)
    tab = open_tab().connect()
    manager.post_message(session_id, "question")
    gate.open(0)
    gate.open(1)
    tab.read(lambda tab: tab.last_status == "streaming" and "paragraph" in tab.soup.get_text())
    elsewhere = OpenTab(other.test_client(), f"/sessions/{session_id}")
    elsewhere.soup, elsewhere.last_id = tab.soup, tab.last_id
    elsewhere.connect(tab.stream_url)
    gate.open_all()
    elsewhere.read(complete)
    assert elsewhere.shown() == open_tab().shown()
    elsewhere.close()


# The cap, and the end


@pytest.fixture
def crowded(home):
    """An application that allows one stream for all its pages."""
    values = {"AMPLIFIER_HOME": str(home), "TESTING": True, "WEBCHAT_MAX_STREAMS": 1}
    app = create_app(values, backend=ScriptedBackend())
    yield app
    app.extensions["webchat"].close()


def test_above_the_cap_a_page_is_told_what_is_new_and_to_ask_again(crowded):
    manager = crowded.extensions["webchat"]
    session_id = manager.create_session().session_id
    first, second = (OpenTab(crowded.test_client(), f"/sessions/{session_id}") for _ in range(2))
    first.connect()
    manager.send_message("hello", session_id)
    answer = crowded.test_client().get(second.stream_url)
    assert answer.text.startswith("retry: 5000\n")
    for event in parse_events(answer.text.removeprefix("retry: 5000\n")):
        second.take(event)
    assert [status for _, status, _ in second.shown()] == ["complete", "complete"]
    # A new request from there ends at once as well, and has a position.
    again = crowded.test_client().get(second.stream_url, headers={"Last-Event-ID": second.last_id})
    assert again.text.startswith("retry: 5000\n")
    assert f"id: {second.last_id}\n" in again.text
    first.close()


def is_open(app, session_id: str) -> bool:
    """Whether a page of the session gets a stream now."""
    stream = EventStream(app.test_client(), f"/events?session={session_id}", {})
    first = stream.next()
    stream.close()
    return first.startswith(":")


def test_a_stream_that_ends_makes_room_for_another(crowded):
    session_id = crowded.extensions["webchat"].create_session().session_id
    for _ in range(3):
        tab = OpenTab(crowded.test_client(), f"/sessions/{session_id}").connect()
        assert not is_open(crowded, session_id)
        tab.close()
    assert is_open(crowded, session_id)


def test_a_refused_stream_takes_no_room(crowded):
    session_id = crowded.extensions["webchat"].create_session().session_id
    for _ in range(3):
        assert crowded.test_client().get("/events?session=no-such").status_code == 404
        with crowded.test_client().head(f"/events?session={session_id}") as answer:
            assert answer.status_code == 200
    assert is_open(crowded, session_id)


def test_a_stream_ends_when_the_server_does(open_tab, manager):
    tab = open_tab().connect().read(settled)
    manager.stopping.set()
    manager.storage.bus.publish_all()
    tab.read(lambda _: False)
    tab.close()


def chat(client):
    return client.application.extensions["webchat.chats"]["webchat"]


def test_a_stream_ends_by_itself_if_the_server_does_not_tell_who_has_left(client, session_id, manager):
    chat(client).times.lifetime = 0.1
    where, ids = f"/events?session={session_id}", []

    def look():
        ids.extend(event.id for event in parse_events(client.get(where).text) if event.id)
        return ids

    until(look)  # on a busy machine a stream may end before its first look, and its page connects again
    manager.send_message("meanwhile", session_id)
    until(lambda: "meanwhile" in client.get(where, headers={"Last-Event-ID": ids[-1]}).text)


def test_a_stream_goes_on_while_the_server_tells_that_its_page_is_there(client, session_id, manager):
    chat(client).times.lifetime = -1.0
    left = threading.Event()
    environ = {"waitress.client_disconnected": left.is_set}
    stream = client.get("/events", query_string={"session": session_id}, environ_overrides=environ).iter_encoded()
    assert next(stream) == b": open\n\n"
    assert b"event: sessions" in next(stream)
    manager.send_message("second", session_id)
    assert b"second" in next(stream)
    left.set()
    for _ in stream:  # what had come before
        pass


def test_a_stream_that_comes_when_the_server_ends_is_over_at_once(client, session_id, manager):
    manager.stopping.set()
    assert parse_events(client.get(f"/events?session={session_id}").text)[0].comment


def test_the_welcome_has_a_stream_that_tells_of_the_list(client, manager):
    welcome = OpenTab(client.application.test_client(), "/").connect().read(settled)
    seen = len(welcome.events)
    manager.start_conversation("from elsewhere").wait()
    welcome.read(lambda tab: settled(tab) and len(tab.events) > seen)
    assert {event.name for event in welcome.events if not event.comment} == {"sessions"}
    welcome.close()


def test_a_ping_for_scripts_has_json_as_all_their_events_have(app, manager):
    posted = manager.start_conversation("hi")
    posted.wait()
    session, chat = manager.get_session(posted.session.session_id), app.extensions["webchat.chats"]["webchat"]
    with app.test_request_context():
        stream = ConversationStream(chat, session, lambda: False)
        assert "event: messages" in "".join(stream.once())
        assert "".join(stream.once()).endswith("event: ping\ndata: {}\n\n")
