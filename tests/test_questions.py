"""An agent's question over HTTP: scripts and pages see it, and the first answer counts."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup

from tests.conftest import HTMX
from tests.reading import chunks, read_until, until
from tests.tab import OpenTab
from webchat.chat.parts import Diff, Option, Permission, Terminal, ToolCall

JSON = {"Accept": "application/json"}
OPTIONS = (Option("yes", "Allow", "allow_once"), Option("no/never", "Reject, and tell <it> why", "reject_once"))
ASKED = Permission("p1", "Run ls?", OPTIONS, "call-1")
RUNNING = ToolCall("call-1", "ls", "execute", "running", "ls -l")
DONE = ToolCall("call-1", "ls", "execute", "done", "ls -l", (Terminal("total 0\n"),), 0.5)


@pytest.fixture
def session_id(manager):
    return manager.create_session().session_id


@pytest.fixture
def ask(manager, backend, session_id):
    """Has the backend ask the question; returns the session's address once it is open."""

    def asked(question=ASKED):
        backend.plays("Let me look.", RUNNING, question, backend.has_chosen, DONE, "It is empty.")
        posted = manager.post_message(session_id, "do it")
        until(lambda: manager.conversation(session_id).last.questions)
        asked.posted = posted
        return f"/sessions/{session_id}"

    yield asked
    manager.stop(session_id)


def test_a_script_sees_the_parts_and_the_question(client, ask):
    url = ask()
    body = client.get(url, headers=JSON).json
    assert body["waiting"] == {
        "id": "p1",
        "title": "Run ls?",
        "tool_call": "call-1",
        "options": [option.record() for option in OPTIONS],
        "input": RUNNING.input,
        "output": [],
        "left_out": 0,
    }
    question, answer = body["messages"]
    assert question["parts"] == [{"type": "text", "text": "do it"}]
    assert answer["parts"] == [{"type": "text", "text": "Let me look."}, RUNNING.record(), ASKED.record()]


def test_an_answer_of_text_alone_has_parts_for_scripts_too(client, manager, session_id):
    manager.post_message(session_id, "hello", files=[("a.txt", "äöü")]).wait()
    question, answer = client.get(f"/sessions/{session_id}", headers=JSON).json["messages"]
    assert question["parts"] == [{"type": "text", "text": "hello"}, {"type": "file", "name": "a.txt", "size": 6}]
    assert answer["parts"] == [{"type": "text", "text": answer["content"]}]


def test_a_script_answers_in_json_or_with_a_form(client, ask, backend, session_id):
    url = ask()
    told = client.post(f"{url}/permissions/p1", json={"option": "yes"}, headers=JSON)
    assert told.json == {"session_id": session_id, "permission": "p1", "option": "yes"}
    ask.posted.wait()
    assert backend.chosen == [(session_id, "p1", "yes")]
    body = client.get(url, headers=JSON).json
    assert body["waiting"] is None
    assert body["messages"][-1]["parts"][2]["choice"] == "yes"


def test_a_browser_is_led_back_to_the_session(client, ask):
    url = ask()
    answer = client.post(f"{url}/permissions/p1", data={"option": "no/never"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{url}#end")


@pytest.mark.parametrize(("headers", "refused"), [({}, 422), (HTMX, 422), (JSON, 400)])
def test_what_was_not_offered_is_refused(client, ask, headers, refused):
    url = ask()
    assert client.post(f"{url}/permissions/p1", data={"option": "maybe"}, headers=headers).status_code == refused
    assert client.post(f"{url}/permissions/p1", headers=headers).status_code == refused
    assert client.get(url, headers=JSON).json["waiting"]


@pytest.mark.parametrize("headers", [{}, HTMX, JSON])
def test_a_question_that_is_answered_or_gone_conflicts(client, ask, headers):
    url = ask()
    client.post(f"{url}/permissions/p1", data={"option": "yes"})
    for name in ("p1", "p2", "a/b"):
        refused = client.post(f"{url}/permissions/{name}", data={"option": "no/never"}, headers=headers)
        assert refused.status_code == 409
    again = client.post(f"{url}/permissions/p1", data={"option": "yes"}, headers=headers)
    assert again.status_code in (200, 303), "the same answer again changes nothing"


def test_another_persons_question_is_not_there(client):
    assert client.post("/sessions/unknown/permissions/p1", data={"option": "yes"}).status_code == 404


def test_the_list_and_the_title_say_who_waits(client, ask, page, session_id):
    assert client.get("/sessions", headers=JSON).json["sessions"][0]["waiting"] is False
    url = ask()
    assert "Waiting for you" in page("/sessions").soup.select_one(f"#row-{session_id}").get_text()
    assert "Waiting for you" in client.get("/sessions", headers=HTMX).text
    assert client.get("/sessions", headers=JSON).json["sessions"][0]["waiting"] is True
    assert page(url).soup.title.get_text().startswith("Waiting for you")
    client.post(f"{url}/permissions/p1", data={"option": "yes"})
    ask.posted.wait()
    assert "Waiting for you" not in page("/sessions").soup.get_text()
    assert not page(url).soup.title.get_text().startswith("Waiting for you")


def test_every_open_page_hears_that_somebody_is_waited_for(client, manager, backend, ask, session_id):
    manager.post_message(session_id, "hello").wait()
    here = OpenTab(client.application.test_client(), f"/sessions/{session_id}").connect()
    elsewhere = OpenTab(client.application.test_client(), "/sessions/" + manager.create_session().session_id).connect()
    try:
        elsewhere.read(lambda tab: any(event.name == "sessions" for event in tab.events))
        before = len(elsewhere.events)
        url = ask()
        here.read(lambda tab: any("<title>Waiting for you" in event.data for event in tab.events))
        elsewhere.read(lambda tab: any(event.name == "sessions" for event in tab.events[before:]))
        before = len(here.events)
        client.post(f"{url}/permissions/p1", data={"option": "yes"})
        ask.posted.wait()
        here.read(lambda tab: any("<title>hello" in event.data for event in tab.events[before:]))
    finally:
        here.close()
        elsewhere.close()


@pytest.mark.parametrize("odd", ["../../stop", "/", "a b?c#d", ".", "ä", "x" * 200])
def test_a_question_may_have_any_id(client, ask, backend, page, session_id, odd):
    url = ask(Permission(odd, "Sure?", OPTIONS))
    form = page(url).soup.select_one("form.question")
    assert client.post(form["action"], data={"option": "yes"}).status_code == 303
    ask.posted.wait()
    assert backend.chosen == [(session_id, odd, "yes")]


def test_a_page_out_of_sight_asks_whether_somebody_is_waited_for(client, ask):
    url = ask()
    told = client.get(f"{url}/waiting").json
    assert told["title"].startswith("Waiting for you")
    assert told["waiting"]["id"] == "p1"
    client.post(f"{url}/permissions/p1", data={"option": "yes"})
    ask.posted.wait()
    told = client.get(f"{url}/waiting").json
    assert told["waiting"] is None
    assert not told["title"].startswith("Waiting for you")
    assert client.get("/sessions/unknown/waiting").status_code == 404


def test_a_page_without_a_script_shows_all_that_is_asked_about(client, page, manager, backend, session_id):
    edited = ToolCall("call-1", "Edit", "edit", "pending", "", (Diff("a.py", "x\n", "y\n"),))
    gate = threading.Event()
    backend.plays("Let me look.", gate, edited, ASKED, backend.has_chosen)
    manager.post_message(session_id, "do it")
    until(lambda: manager.conversation(session_id).last.content)
    assert page(f"/sessions/{session_id}").soup.select("noscript .reply-frame"), "in which the answer grows"
    gate.set()
    until(lambda: manager.conversation(session_id).last.questions)
    article = page(f"/sessions/{session_id}").messages[-1].article
    assert article.select(".reply-frame") == [], "nothing comes before the question is answered"
    assert article.select_one(".card .diff")
    assert article.select_one(".card form.question")
    manager.stop(session_id)


def test_the_frame_without_a_script_shows_the_question_and_goes_on(client, ask, backend, session_id):
    url = ask()
    pieces = chunks(client.get(f"{url}/reply", buffered=False))
    shown = BeautifulSoup(read_until(pieces, lambda text: "</form>" in text), "html.parser")
    assert "Let me look." in shown.get_text()
    form = shown.select_one("form.question")
    assert form["target"] == "_top"
    assert form.select_one(".given").get_text() == "ls -l"
    assert (form.a["href"], form.a["target"]) == (url, "_top")
    assert [button.get_text() for button in form.select("button")] == ["Allow", "Reject, and tell <it> why"]
    client.post(form["action"], data={"option": "yes"})
    rest = BeautifulSoup("".join(pieces), "html.parser")
    assert rest.select_one(".chosen").get_text(" ", strip=True) == "Run ls? You chose: Allow"
    assert "It is empty." in rest.get_text()
    assert "Let me look." not in rest.get_text(), "what was sent is not sent again"


def test_the_frame_and_scripts_show_what_the_agent_would_change(client, backend, manager, session_id):
    output = (Diff("a.sh", "one\n", "one\nrm -r x\n"), Terminal("rm -r y"))
    backend.plays(replace(RUNNING, input="", output=output), ASKED, backend.has_chosen, "Done.")
    manager.post_message(session_id, "do it")
    until(lambda: manager.conversation(session_id).last.questions)
    frame = read_until(
        chunks(client.get(f"/sessions/{session_id}/reply", buffered=False)), lambda text: "</form>" in text
    )
    form = BeautifulSoup(frame, "html.parser").select_one("form.question")
    assert "rm -r x" in form.select_one(".diff").get_text()
    assert form.select_one(".output").get_text(strip=True) == "rm -r y"
    waiting = client.get(f"/sessions/{session_id}/waiting").json["waiting"]
    assert waiting["output"] == [block.record() for block in output]
    manager.stop(session_id)


def test_a_long_diff_is_cut_to_its_changes(client, backend, manager, session_id):
    same = "".join(f"line {number} of many\n" for number in range(3_000))
    output = (Diff("a.sh", same, f"{same}the change\n"), Terminal("x" * 20_000))
    backend.plays(replace(RUNNING, output=output), ASKED, backend.has_chosen, "Done.")
    manager.post_message(session_id, "do it")
    until(lambda: manager.conversation(session_id).last.questions)
    waiting = client.get(f"/sessions/{session_id}/waiting").json["waiting"]
    diff, printed = waiting["output"]
    assert diff["new"].endswith("line 2999 of many\nthe change\n")
    assert len(diff["new"]) < 200
    assert waiting["left_out"] == 20_000 - len(printed["text"]) > 0
    manager.stop(session_id)


def test_a_script_that_streams_the_answer_is_told_of_the_question(client, backend, session_id):
    backend.plays("Let me look.", RUNNING, ASKED, backend.has_chosen, DONE, "It is empty.")
    events = {"Accept": "text/event-stream"}
    response = client.post(f"/sessions/{session_id}/messages", data={"message": "do it"}, headers=events)
    stream = chunks(response)
    told = read_until(stream, lambda text: "event: question" in text)
    assert '"id": "p1"' in told
    client.post(f"/sessions/{session_id}/permissions/p1", data={"option": "yes"}, headers=JSON)
    rest = read_until(stream, lambda text: "event: done" in text)
    assert 'event: question\ndata: {"waiting": null}' in rest
