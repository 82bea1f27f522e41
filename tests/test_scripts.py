"""A script sends a message to a page's address and reads the answer: whole, as plain text, or as events."""

from __future__ import annotations

import io
import json
import re
import threading
from dataclasses import replace

import pytest

from tests.conftest import HTMX
from tests.reading import chunks, parse_events, read_until
from webchat.backends import Event
from webchat.backends.reasoning import REASONED
from webchat.chat.queued import QueuedMessage
from webchat.errors import BackendUnavailable, SessionEnded
from webchat.memory import MemoryStore
from webchat.web.streams import BrokenOff, reply_text

TEXT = {"Accept": "text/plain"}
EVENTS = {"Accept": "text/event-stream"}
JSON = {"Accept": "application/json"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"}
CURL = {"Accept": "*/*", "User-Agent": "curl/8.5.0"}


@pytest.fixture(params=["first", "further"])
def address(request, manager) -> str:
    """Where a message is posted: the first of a conversation, or a later one."""
    if request.param == "first":
        return "/messages"
    return f"/sessions/{manager.create_session().session_id}/messages"


def names_and_data(text: str) -> list[tuple[str, dict]]:
    return [(event.name, json.loads(event.data)) for event in parse_events(text)]


def test_plain_text_is_the_answer_and_nothing_else(client, backend, address):
    backend.plays("Hello", " ", "wörld\n", "🙂")
    answer = client.post(address, data={"message": "hi"}, headers=TEXT)
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.text == "Hello wörld\n🙂"


def test_plain_text_comes_as_it_is_generated(client, backend, address):
    going_on = threading.Event()
    backend.plays("one", going_on, " two")
    answer = client.post(address, data={"message": "hi"}, headers=TEXT, buffered=False)
    pieces = chunks(answer)
    assert read_until(pieces, lambda text: "one" in text) == "one"
    going_on.set()
    assert "".join(pieces) == " two"


def test_events_come_as_they_are_generated(client, backend, address):
    going_on = threading.Event()
    backend.plays("one", going_on, " two")
    answer = client.post(address, data={"message": "hi"}, headers=EVENTS, buffered=False)
    pieces = chunks(answer)
    first = read_until(pieces, lambda text: "one" in text and text.endswith("\n\n"))
    going_on.set()
    rest = "".join(pieces)
    assert ("delta", {"text": "one"}) in names_and_data(first)
    assert [data["text"] for name, data in names_and_data(rest) if name == "delta"] == [" two"]


def test_events_say_what_is_going_on_and_end_with_done(client, backend, address, manager):
    backend.plays("one", "two")
    answer = client.post(address, data={"message": "hi"}, headers=EVENTS)
    assert answer.mimetype == "text/event-stream"
    events = names_and_data(answer.text)
    assert {name for name, _ in events} <= {"delta", "status", "done"}
    assert "".join(data["text"] for name, data in events if name == "delta") == "onetwo"
    reply = manager.conversation(manager.active_session_id).last
    assert events[-1] == (
        "done",
        {"status": "complete", "session_id": manager.active_session_id, "message_id": reply.id, "response": "onetwo"},
    )


def test_events_say_that_what_came_before_was_reasoning(client, backend, address):
    going_on = threading.Event()
    backend.plays("Let me think of it.", going_on, REASONED, "Par", "is")
    answer = client.post(address, data={"message": "hi"}, headers=EVENTS, buffered=False)
    pieces = chunks(answer)
    first = read_until(pieces, lambda text: "think of it" in text and text.endswith("\n\n"))
    going_on.set()
    told = [data for name, data in names_and_data(first + "".join(pieces)) if name == "delta"]
    assert [data.get("anew", False) for data in told[:2]] == [False, True]
    assert "".join(data["text"] for data in told[1:]) == "Paris"
    assert not any("anew" in data for data in told[2:])


def test_the_status_is_told_when_it_changes_and_not_again(client, backend, address):
    going_on = threading.Event()
    backend.plays(Event("status", "loading"), going_on, "one", "two")
    answer = client.post(address, data={"message": "hi"}, headers=EVENTS, buffered=False)
    pieces = chunks(answer)
    first = read_until(pieces, lambda text: "waiting" in text and text.endswith("\n\n"))
    going_on.set()
    told = [data["status"] for name, data in names_and_data(first + "".join(pieces)) if name == "status"]
    assert told[0] == "waiting"
    assert len(told) == len(set(told))


def test_characters_that_end_lines_elsewhere_stay_in_their_event(client, backend, address):
    text = "a\u2028b\x85c\x0bd\r\ne\rf\n\ng\0"
    backend.plays(text)
    answer = client.post(address, data={"message": "hi"}, headers=EVENTS)
    assert "".join(data["text"] for name, data in names_and_data(answer.text) if name == "delta") == text


def test_json_is_the_whole_answer(client, address, manager):
    answer = client.post(address, data={"message": "hi"}, headers=JSON)
    assert answer.json == {
        "response": "You said: hi",
        "session_id": manager.active_session_id,
        "session_connected": True,
    }


def test_the_message_may_be_json_as_well(client, address):
    answer = client.post(address, json={"message": "hi"}, headers=TEXT)
    assert answer.text == "You said: hi"


def test_the_answer_tells_its_session_so_that_a_script_can_go_on(client, manager):
    first = client.post("/messages", data={"message": "one"}, headers=TEXT)
    assert first.text == "You said: one"
    session_id = first.headers["X-Session-Id"]
    assert client.post(f"/sessions/{session_id}/messages", data={"message": "two"}, headers=TEXT).text
    assert [message.content for message in manager.conversation(session_id).messages] == [
        "one",
        "You said: one",
        "two",
        "You said: two",
    ]


@pytest.mark.parametrize("headers", [TEXT, EVENTS, JSON])
def test_a_memory_command_is_answered_too(client, address, headers):
    answer = client.post(address, data={"message": "remember this: green tea"}, headers=headers)
    assert answer.status_code == 200
    assert answer.mimetype == headers["Accept"]
    assert "Stored as mem-001" in answer.text


def test_a_memory_command_of_a_script_is_kept_in_its_session(client, address, manager):
    client.post(address, data={"message": "recall tea"}, headers=TEXT)
    kept = manager.conversation(manager.active_session_id).messages
    assert [message.content for message in kept] == ["recall tea", "No memories found matching 'tea'."]


# Failures


@pytest.mark.parametrize("headers", [TEXT, JSON])
def test_a_failure_before_the_first_piece_is_an_ordinary_error(client, backend, address, headers):
    backend.plays(RuntimeError("secret"))
    answer = client.post(address, data={"message": "hi"}, headers=headers)
    assert (answer.status_code, answer.mimetype) == (503, headers["Accept"])
    assert "cannot be reached" in answer.text
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("error", "status"), [(BackendUnavailable("Closed today."), 503), (SessionEnded(), 409), (KeyError("secret"), 500)]
)
def test_each_failure_has_its_status(client, backend, address, error, status):
    backend.plays(error)
    answer = client.post(address, data={"message": "hi"}, headers=TEXT)
    assert answer.status_code == status
    assert answer.text.strip()
    assert "secret" not in answer.text


def test_events_say_that_the_backend_ended_the_session(client, backend, address):
    for error, connected in ((SessionEnded(), False), (BackendUnavailable(), None)):
        backend.plays(error)
        answer = client.post(address, data={"message": "hi"}, headers=EVENTS)
        [*_, (name, data)] = names_and_data(answer.text)
        assert (name, data.get("session_connected")) == ("error", connected)


def test_a_later_failure_breaks_plain_text_off(client, backend, address):
    going_on = threading.Event()
    backend.plays("half", going_on, RuntimeError("secret"))
    answer = client.post(address, data={"message": "hi"}, headers=TEXT, buffered=False)
    pieces = chunks(answer)
    assert next(pieces) == "half"
    going_on.set()
    with pytest.raises(BrokenOff):
        list(pieces)


def test_a_failure_that_comes_with_the_first_text_breaks_off_as_well(app, backend, manager):
    backend.plays("half", RuntimeError("secret"))
    posted = manager.start_conversation("hi")
    assert posted.run.wait(30)
    with app.test_request_context("/messages", method="POST"):
        answer = reply_text(posted)
    pieces = iter(answer.response)
    assert next(pieces) == "half"
    with pytest.raises(BrokenOff):
        list(pieces)


def test_a_server_that_ends_breaks_plain_text_off(client, backend, address, manager):
    backend.plays("half", threading.Event())
    answer = client.post(address, data={"message": "hi"}, headers=TEXT, buffered=False)
    pieces = chunks(answer)
    assert next(pieces) == "half"
    manager.close()
    with pytest.raises(BrokenOff):
        list(pieces)


@pytest.mark.parametrize("pieces", [[RuntimeError("secret")], ["half", RuntimeError("secret")]])
def test_in_events_a_failure_is_an_event(client, backend, address, pieces):
    backend.plays(*pieces)
    answer = client.post(address, data={"message": "hi"}, headers=EVENTS)
    name, data = names_and_data(answer.text)[-1]
    assert (answer.status_code, name) == (200, "error")
    assert "cannot be reached" in data["error"]
    assert "secret" not in answer.text


def test_a_stopped_answer_ends_as_it_is(client, backend, address, manager):
    backend.plays("half", threading.Event())
    answer = client.post(address, data={"message": "hi"}, headers=EVENTS, buffered=False)
    pieces = chunks(answer)
    first = read_until(pieces, lambda text: "half" in text)
    client.application.test_client().post(f"/sessions/{manager.active_session_id}/stop")
    name, data = names_and_data(first + "".join(pieces))[-1]
    assert (name, data["status"]) == ("done", "stopped")


def test_an_answer_without_text_is_an_error(client, backend, address):
    backend.plays()
    answer = client.post(address, data={"message": "hi"}, headers=TEXT)
    assert answer.status_code == 502
    assert answer.text == "The model ended without an answer. Try again, or rephrase your message.\n"


@pytest.mark.parametrize("headers", [TEXT, EVENTS])
def test_a_refused_message_is_a_status_and_a_sentence(client, address, headers):
    answer = client.post(address, data={"message": "  "}, headers=headers)
    assert (answer.status_code, answer.mimetype) == (422, "text/plain")
    assert answer.text == "Write a message first.\n"


def test_to_json_a_refused_message_is_400(client, address):
    answer = client.post(address, data={"message": ""}, headers=JSON)
    assert (answer.status_code, answer.json) == (400, {"error": "Write a message first."})


@pytest.mark.parametrize("headers", [TEXT, EVENTS, JSON])
def test_an_unknown_session_is_a_status_and_a_sentence(client, headers):
    answer = client.post("/sessions/no-such/messages", data={"message": "hi"}, headers=headers)
    assert answer.status_code == 404
    assert "not found" in answer.text
    assert "<" not in answer.text


# Which format


@pytest.mark.parametrize("headers", [CURL, BROWSER, {}, {"Accept": "image/png"}, {"Accept": "text/*"}])
def test_whoever_does_not_choose_gets_what_a_browser_gets(client, address, headers):
    answer = client.post(address, data={"message": "hi"}, headers=headers)
    assert answer.status_code == 303
    assert re.fullmatch(r"/sessions/[0-9a-f]{32}#end", answer.headers["Location"])


@pytest.mark.parametrize("path", ["/", "/sessions", "/apps/settings/", "/sessions/no-such"])
@pytest.mark.parametrize("headers", [CURL, BROWSER, {}])
def test_pages_are_pages_to_whoever_does_not_choose(client, path, headers):
    assert client.get(path, headers=headers).mimetype == "text/html"


@pytest.mark.parametrize("headers", [CURL, BROWSER, {}])
def test_the_json_routes_are_json_to_whoever_does_not_choose(client, headers):
    assert client.get("/api/session", headers=headers).mimetype == "application/json"
    assert client.post("/api/chat", headers=headers).mimetype == "application/json"


def test_the_better_liked_of_two_is_chosen(client):
    answer = client.post("/messages", data={"message": "hi"}, headers={"Accept": "text/plain;q=0.4, application/json"})
    assert answer.mimetype == "application/json"
    answer = client.post("/messages", data={"message": "hi"}, headers={"Accept": "text/plain, application/json;q=0.4"})
    assert answer.mimetype == "text/plain"


def test_htmx_gets_a_fragment_whatever_it_accepts(client):
    answer = client.post("/messages", data={"message": "hi"}, headers={**HTMX, **TEXT})
    assert answer.mimetype == "text/html"
    assert 'id="chatArea"' in answer.text


@pytest.mark.parametrize("action", ["resume", "stop", "end"])
def test_what_is_done_with_a_session_is_told_to_a_script(client, manager, action):
    session_id = manager.create_session().session_id
    answer = client.post(f"/sessions/{session_id}/{action}", headers=JSON)
    assert (answer.status_code, answer.json["session_id"]) == (200, session_id)


def test_a_script_makes_a_session(client, manager):
    answer = client.post("/sessions", headers=JSON)
    assert answer.json["session_id"] == manager.active_session_id


def test_a_script_asks_again(client, backend, manager):
    backend.plays("half", RuntimeError("down"))
    client.post("/messages", data={"message": "hi"}, headers=JSON)
    failed = manager.conversation(manager.active_session_id).last
    address = f"/sessions/{manager.active_session_id}/messages/{failed.id}/retry"
    assert client.post(address, headers=TEXT).text == "You said: hi"


def test_a_session_is_read_with_all_its_messages(client, manager):
    client.post("/messages", data={"message": "hi"}, headers=JSON)
    session_id = manager.active_session_id
    client.post(f"/sessions/{session_id}/messages/{manager.conversation(session_id).last.id}/retry", headers=JSON)
    read = client.get(f"/sessions/{session_id}", headers=JSON).json
    assert read["session_id"] == session_id
    question, answered = read["messages"]
    assert (question["role"], question["content"], question["status"]) == ("user", "hi", "complete")
    assert question["siblings"] == [question["id"]]
    assert answered["parent"] == question["id"]
    assert len(answered["siblings"]) == 2


def test_the_list_is_searched_and_turned_page_by_page(client, manager):
    for number in range(52):
        manager.start_conversation(f"tea {number}").wait(10)
    manager.start_conversation("coffee").wait(10)
    first = client.get("/sessions?q=TEA", headers=JSON).json
    second = client.get("/sessions?q=TEA&page=1", headers=JSON).json
    assert (len(first["sessions"]), first["has_more"]) == (50, True)
    assert [row["description"] for row in second["sessions"]] == ["tea 1", "tea 0"]
    assert second["has_more"] is False


FIELDS = {
    "message": "hello",
    "title": "A title",
    "working_dir": "~",
    "description": "Described",
    "system_prompt": "",
}


ELSEWHERE = {
    "settings.test",  # asks a server: see tests/test_settings.py
    "webchat.answer",  # needs an open question: see tests/test_questions.py
    "webchat.control",  # needs an agent: see tests/test_controls.py
    "webchat.open_own",  # the same: see tests/test_own_sessions.py
}


def posts(app):
    """Each route that takes a post, and each of a route's actions, as (endpoint, rule, action)."""
    for rule in app.url_map.iter_rules():
        if "POST" in (rule.methods or ()):
            found = re.search(r"<any\((.*)\):action>", rule.rule)
            for action in found[1].split(", ") if found else [""]:
                yield rule.endpoint, rule, action


def address_of(rule, action, manager, memory):
    """The route's address for an object on which it works."""
    posted = manager.start_conversation("recall tea" if rule.endpoint.endswith(".ask") else "question")
    posted.wait()
    session_id = posted.session.session_id
    message_id = (posted.question if rule.endpoint.endswith((".change", ".ask")) else posted.reply).id
    if rule.endpoint.endswith(".continue"):
        broken = replace(posted.answer, content="", status="stopped")
        manager.storage.transcripts.extend(session_id, broken)
    if action in ("restore", "purge") and "<session_id>" in rule.rule:
        manager.housekeeping.delete([session_id])
    memory_id = memory.remember("tea")["id"]
    if action in ("restore", "purge"):
        memory.delete(memory_id)
    values = {"session_id": session_id, "message_id": message_id, "action": action, "memory_id": memory_id}
    values["key"] = "0123456789abcdef"  # an import's, and a queued message's
    if "/queue/" in rule.rule:
        # Held: the end of the answer above may still be looking for messages to send.
        held = manager.storage.transcripts.read(session_id).revision
        with manager.storage.queue.changing(session_id) as items:
            items.append(QueuedMessage(values["key"], "waiting", held=held))
    return session_id, rule.build({name: values[name] for name in rule.arguments}, append_unknown=False)[1]


@pytest.mark.parametrize("face", [JSON, TEXT, EVENTS], ids=["json", "text", "events"])
def test_every_route_that_a_form_posts_to_answers_a_script(app, client, manager, face):
    tried = 0
    for endpoint, rule, action in posts(app):
        if endpoint in ELSEWHERE:
            continue
        session_id, address = address_of(rule, action, manager, MemoryStore(manager.storage.documents))
        ids = {"id": session_id} if rule.rule.startswith("/sessions/<any") else {}
        if ids and action in ("restore", "purge"):
            manager.housekeeping.delete([session_id])
        fields = {**FIELDS, "session_id": session_id, **ids}
        if endpoint == "settings.save":
            fields = {"theme": "dark"}
        if endpoint.endswith(".import"):
            fields = {"file": (io.BytesIO(b'[{"uuid": "c", "chat_messages": []}]'), "c.json")}
        with client.post(address, data=fields, headers=face) as answer:
            assert answer.status_code == 200, (endpoint, action, answer.text)
            own = [face["Accept"], "application/json"] if "/api/" in address else [face["Accept"]]
            assert answer.mimetype in own, (endpoint, action)
        tried += 1
    assert tried > 35


@pytest.mark.parametrize("face", [JSON, TEXT, EVENTS], ids=["json", "text", "events"])
def test_every_such_route_tells_a_script_what_is_wrong(app, client, face):
    for endpoint, rule, action in posts(app):
        values = dict.fromkeys(rule.arguments, "no-such") | ({"action": action} if action else {})
        fields = {"temperature": "hot", "session_id": "no-such"}
        answer = client.post(rule.build(values, append_unknown=False)[1], data=fields, headers=face)
        if answer.status_code == 200:
            asks_for_nothing = ("webchat.new", "webchat.api_create", "webchat.api_end", "webchat.import")
            assert endpoint in (*asks_for_nothing, "settings.habits"), endpoint
        else:
            assert answer.status_code in ((400, 404, 409) if face is JSON else (404, 409, 422)), (endpoint, answer.text)
            assert answer.mimetype == ("application/json" if face is JSON else "text/plain")


def test_what_is_done_is_told_as_lines_or_as_one_event(client, manager):
    posted = manager.start_conversation("question")
    posted.wait()
    address = f"/sessions/{posted.session.session_id}/rename"
    assert "description: Näme\n" in client.post(address, data={"title": "Näme"}, headers=TEXT).text
    ((name, data),) = names_and_data(client.post(address, data={"title": "Näme"}, headers=EVENTS).text)
    assert (name, data["description"], data["pinned"]) == ("done", "Näme", False)
