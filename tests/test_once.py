"""Every form is idempotent, and refuses actions from an out-of-date page."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from tests.scripted import ScriptedBackend
from webchat import create_app
from webchat.chat.message import Message
from webchat.errors import BackendUnavailable, NothingSaid, SessionEnded
from webchat.manager import WebChatSessionManager
from webchat.replies import supervisor
from webchat.web.hosting import UNKNOWN as MOST_AT_ONCE
from webchat.web.streams import BrokenOff

JSON = {"Accept": "application/json"}


@pytest.fixture
def session_id(manager):
    posted = manager.start_conversation("first")
    posted.wait()
    return posted.session.session_id


@pytest.fixture
def shown(manager, session_id):
    """The texts of the messages that are shown."""
    return lambda: [message.content for message in manager.conversation(session_id).messages]


def ids(manager: WebChatSessionManager, session_id: str) -> list[str]:
    return [message.id for message in manager.conversation(session_id).messages]


def test_a_first_message_sent_at_once_from_everywhere_makes_one_session(app, manager):
    def send(_: int) -> str:
        return app.test_client().post("/messages", data={"message": "hi", "key": "k"}, headers=JSON).json["session_id"]

    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        assert len(set(pool.map(send, range(MOST_AT_ONCE)))) == 1
    assert [session.description for session in manager.list_sessions()] == ["hi"]


def test_a_first_message_is_known_again_when_another_session_is_current(manager):
    one = manager.start_conversation("one", key="k")
    manager.start_conversation("two", key="l").wait()
    assert manager.start_conversation("one", key="k").session.session_id == one.session.session_id
    assert len(manager.list_sessions()) == 2


def test_a_first_message_whose_session_was_deleted_makes_a_new_one(manager):
    one = manager.start_conversation("one", key="k")
    one.wait()
    manager.housekeeping.delete([one.session.session_id])
    assert manager.start_conversation("one", key="k").session.session_id != one.session.session_id


def test_sent_again_to_another_process_the_whole_answer_is_given(app, manager, backend, home, session_id):
    gate = threading.Event()
    backend.plays("One ", gate, "two.")
    manager.post_message(session_id, "count", key="k").run.wait_for_text(30)
    other = create_app({"AMPLIFIER_HOME": str(home), "TESTING": True}, backend=ScriptedBackend())
    with ThreadPoolExecutor(1) as pool:
        fields = {"message": "count", "key": "k"}
        answer = pool.submit(
            lambda: other.test_client().post(f"/sessions/{session_id}/messages", data=fields, headers=JSON)
        )
        wait([answer], timeout=1.5)  # which a process that does not know about it would not accept
        gate.set()
        assert answer.result().json["response"] == "One two."
    other.extensions["webchat"].close()


def test_a_question_that_a_dead_server_left_unanswered_is_answered_when_it_is_sent_again(client, manager, session_id):
    last = ids(manager, session_id)[-1]
    question = Message("q", "user", "are you there?", parent=last, key="k")
    manager.storage.transcripts.append(session_id, question)
    fields = {"message": "are you there?", "key": "k"}
    for _ in range(2):
        answer = client.post(f"/sessions/{session_id}/messages", data=fields, headers=JSON)
        assert answer.json["response"] == "You said: are you there?"
    assert len(ids(manager, session_id)) == 4


def test_a_key_with_another_text_is_another_message(manager, session_id, shown):
    for text in ("one", "two", "two"):
        manager.post_message(session_id, text, key="k").wait()
    assert shown()[2:] == ["one", "You said: one", "two", "You said: two"]
    first = manager.start_conversation("one", key="j").session.session_id
    assert manager.start_conversation("two", key="j").session.session_id != first


def test_a_message_is_known_again_when_its_branch_is_not_shown(manager, session_id):
    posted = manager.post_message(session_id, "keyed", key="k")
    posted.wait()
    manager.edit(session_id, ids(manager, session_id)[0], "another way").wait()
    again = manager.post_message(session_id, "keyed", key="k")
    assert (again.question.id, again.answer.content) == (posted.question.id, "You said: keyed")


def test_a_memory_is_stored_once(client, home, session_id, shown):
    fields = {"message": "remember this: the kettle is green", "key": "k"}
    first, again = (client.post(f"/sessions/{session_id}/messages", data=fields, headers=JSON).json for _ in range(2))
    assert first == again
    assert len(shown()) == 4
    for _ in range(2):
        client.post("/messages", data=fields, headers=JSON)
    assert len(client.get("/api/sessions").json["sessions"]) == 2
    stored = client.post("/api/chat", data={"message": "recall kettle"}).json["memory_result"]
    assert [memory["id"] for memory in stored] == ["mem-001", "mem-002"]


@pytest.mark.parametrize("action", ["retry", "fork"])
def test_the_last_answer_is_tried_again_or_taken_along_once(client, manager, session_id, action):
    url = f"/sessions/{session_id}/messages/{ids(manager, session_id)[-1]}/{action}"
    first, again = (client.post(url, data={"key": "k"}, headers=JSON) for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert first.json == again.json
    assert len(manager.list_sessions()) == (2 if action == "fork" else 1)
    assert len(manager.conversation(session_id).last.siblings) == (0 if action == "fork" else 2)


def test_an_answer_is_continued_once(client, backend, manager, session_id, shown):
    backend.plays("You said", threading.Event())
    posted = manager.post_message(session_id, "go")
    posted.wait_for_text(30)
    manager.stop(session_id)
    for _ in range(2):
        backend.plays(" and on")
        url = f"/sessions/{session_id}/messages/{posted.reply.id}/continue"
        assert client.post(url, data={"key": "k"}, headers=JSON).status_code == 200
    assert shown()[-1] == "You said and on"


def test_the_model_is_asked_once_what_was_no_memory_command(client, manager, session_id, shown):
    client.post(f"/sessions/{session_id}/messages", data={"message": "recall tea"})
    asked = ids(manager, session_id)[-2]
    for _ in range(2):
        client.post(f"/sessions/{session_id}/messages/{asked}/ask", data={"key": "k"}, headers=JSON)
    assert shown()[4:] == ["recall tea", "You said: recall tea"]


class TestFromAPageThatIsOutOfDate:
    """Each is refused with 409, and nothing changes."""

    @pytest.fixture
    def behind(self, manager, session_id):
        """The last message that the page showed before somebody else wrote."""
        seen = ids(manager, session_id)
        manager.post_message(session_id, "second").wait()
        return seen

    def test_a_memory_command(self, client, session_id, behind, shown, home):
        fields = {"message": "remember this: x", "seen": behind[-1]}
        assert client.post(f"/sessions/{session_id}/messages", data=fields, headers=JSON).status_code == 409
        assert len(shown()) == 4
        assert not (home / "memory-store.yaml").exists()

    def test_a_change_of_an_earlier_message(self, client, page, session_id, behind, shown):
        url = f"/sessions/{session_id}/messages/{behind[0]}/edit"
        answer = client.post(url, data={"message": "changed", "seen": behind[-1]})
        assert answer.status_code == 409
        refused = page(answer)
        assert refused.field == "changed"
        assert [message.text for message in refused.messages] == ["second", "You said: second"]
        form = {field["name"]: field["value"] for field in refused.soup.select("form.again input")}
        assert client.post(url, data={"message": "changed", **form}).status_code == 303
        assert shown()[0] == "changed"

    @pytest.mark.parametrize("action", ["retry", "continue"])
    def test_what_is_done_with_the_last_answer(self, client, page, session_id, behind, shown, action):
        answer = client.post(f"/sessions/{session_id}/messages/{behind[-1]}/{action}")
        assert answer.status_code == 409
        assert [message.text for message in page(answer).messages] == ["second", "You said: second"]
        assert len(shown()) == 4

    def test_the_first_message_of_an_empty_session(self, client, page, manager):
        empty = manager.create_session().session_id
        form = {
            field["name"]: field["value"] for field in page(f"/sessions/{empty}").soup.select("form.field input[value]")
        }
        manager.post_message(empty, "somebody was quicker").wait()
        answer = client.post(f"/sessions/{empty}/messages", data={"message": "late", **form})
        assert answer.status_code == 409
        assert page(answer).field == "late"
        assert page(answer).messages[0].text == "somebody was quicker"


def test_every_form_about_a_message_carries_a_key(client, page, manager, session_id):
    client.post(f"/sessions/{session_id}/messages", data={"message": "recall tea"})
    shown = page(f"/sessions/{session_id}").soup
    forms = [form for form in shown.select("form[method=post]") if "/messages" in form["action"]]
    assert len(forms) >= 5
    assert all(form.select_one("input[name=key][value]") for form in forms)
    change = page(f"/sessions/{session_id}/messages/{ids(manager, session_id)[0]}/edit").soup.select_one("form.edit")
    assert {field["name"] for field in change.select("input")} == {"key", "seen"}


def test_a_question_whose_server_died_is_not_taken_for_answered(app, manager, session_id, shown, monkeypatch):
    """Until the dead server's lease expires, it is refused; then it is answered, and is stored once."""
    monkeypatch.setattr(supervisor, "STOP_PATIENCE", 0.2)  # for which a page waits for an answer that is being stopped
    last = ids(manager, session_id)[-1]
    manager.storage.transcripts.append(session_id, Message("q", "user", "and now?", parent=last, key="k"))
    release = manager.storage.leases.acquire(session_id)
    sent = {"data": {"message": "and now?", "key": "k"}, "headers": JSON}
    refused = app.test_client().post(f"/sessions/{session_id}/messages", **sent)
    assert refused.status_code == 409, refused.text
    release()
    assert app.test_client().post(f"/sessions/{session_id}/messages", **sent).status_code == 200
    assert [text == "and now?" for text in shown()] == [False, False, True, False]


def test_a_memory_told_twice_to_the_json_route_is_stored_once(app, client, home):
    told = {"message": "remember this: the kettle is green", "key": "k"}
    answers = [client.post("/api/chat", json=told).json for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["memory_result"]["id"] == "mem-001"
    others = [
        client.post("/api/chat", json=told | {"message": "remember this: the kettle is blue"}).json,
        client.post("/api/chat", json=told | {"key": "l"}).json,
        client.post("/api/chat", json={"message": told["message"]}).json,
    ]
    assert [other["memory_result"]["id"] for other in others] == ["mem-002", "mem-003", "mem-004"]
    app.extensions["webchat"].close()
    again = create_app({"AMPLIFIER_HOME": str(home)}, backend=ScriptedBackend())
    assert again.test_client().post("/api/chat", json=told).json == answers[0]
    again.extensions["webchat"].close()


FAILURES = [
    (BackendUnavailable("The model server is away."), 503, "The model server is away."),
    (SessionEnded(), 409, SessionEnded.says),
    (42, 500, "Something unexpected went wrong."),  # a piece of an unknown type
    (None, 502, NothingSaid.says),
]


@pytest.mark.parametrize(
    ("said", "failure", "status", "text"),
    [(said, *each) for each in FAILURES for said in ("", "so far ") if each[0] or not said],  # not with words
)
def test_an_answer_that_failed_fails_again_with_the_same_error(app, client, backend, home, said, failure, status, text):
    backend.plays(*([said] if said else []), *([failure] if failure else []))
    sent = {"message": "hi", "key": "k"}
    first = client.post("/messages", data=sent, headers=JSON)
    assert (first.status_code, first.json["error"].startswith(text)) == (status, True)

    def is_told_again(client):
        again = client.post("/messages", data=sent, headers=JSON)
        assert (again.status_code, again.json) == (status, first.json)
        events = client.post("/messages", data=sent, headers={"Accept": "text/event-stream"}).text
        assert f"event: error\ndata: {json.dumps({'error': first.json['error']}, ensure_ascii=False)[:-1]}" in events
        plain = client.post("/messages", data=sent, headers={"Accept": "text/plain"}, buffered=False)
        if said:
            with pytest.raises(BrokenOff):
                assert plain.get_data(as_text=True) == said
        else:
            assert (plain.status_code, plain.text) == (status, first.json["error"] + "\n")

    is_told_again(client)
    app.extensions["webchat"].close()
    later = create_app({"AMPLIFIER_HOME": str(home), "TESTING": True}, backend=backend)
    is_told_again(later.test_client())
    later.extensions["webchat"].close()
    assert len(backend.asked) == 1


def test_an_answer_that_broke_off_before_its_first_word_is_an_error_as_text(client, manager, backend):
    gate = threading.Event()
    backend.plays(gate)
    posted = manager.start_conversation("hi", key="k")
    posted.run.stop("interrupted")
    gate.set()
    posted.wait()
    for _ in range(2):
        answer = client.post("/messages", data={"message": "hi", "key": "k"}, headers={"Accept": "text/plain"})
        assert (answer.status_code, "before its first word" in answer.text) == (503, True)
