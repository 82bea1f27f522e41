"""The JSON routes: responses, accepted input, and errors."""

from __future__ import annotations

import io
import json
import logging
import re
import threading

import pytest

from tests.conftest import HTMX
from tests.pictures import png
from tests.reading import parse_events, snapshot, until
from webchat import create_app
from webchat.errors import BackendUnavailable, SessionEnded, SessionUnknown

JSON = "application/json"
MIB = 1024 * 1024
WRITING = ["/api/session", "/api/session/resume", "/api/chat", "/api/end"]
READING = ["/api/session", "/api/sessions"]


@pytest.fixture(params=["json", "form", "multipart"])
def send(request, client):
    """Posts fields in each accepted format."""

    def post(path: str, **fields: str):
        if request.param == "json":
            return client.post(path, json=fields)
        content_type = "multipart/form-data" if request.param == "multipart" else None
        return client.post(path, data=fields, content_type=content_type)

    return post


def error_of(answer) -> str:
    assert answer.mimetype == JSON
    assert set(answer.json) == {"error"}
    assert answer.json["error"].strip()
    return answer.json["error"]


# The response of each route


def test_without_a_session_it_says_so(client):
    answer = client.get("/api/session")
    assert answer.status_code == 200
    assert answer.json == {"connected": False, "session_id": None, "message": "No active session."}


def test_a_session_is_created_and_is_then_the_current_one(client):
    created = client.post("/api/session")
    assert created.status_code == 200
    assert created.json.keys() == {"session_id", "project_id", "working_dir"}
    assert client.get("/api/session").json == {"connected": True, **created.json}


def test_a_session_is_created_with_what_was_asked_for(send, client, tmp_path):
    created = send("/api/session", working_dir=str(tmp_path), description="A thing to do")
    assert created.json["working_dir"] == str(tmp_path)
    [listed] = client.get("/api/sessions").json["sessions"]
    assert listed["description"] == "A thing to do"


def test_each_creation_makes_another_session_also_while_the_first_is_empty(client):
    first, second = (client.post("/api/session").json["session_id"] for _ in range(2))
    assert first != second
    assert client.get("/api/session").json["session_id"] == second


def test_all_sessions_are_listed_newest_first(client):
    ids = [client.post("/api/session").json["session_id"] for _ in range(3)]
    listed = client.get("/api/sessions").json
    assert listed.keys() == {"sessions"}
    rows = listed["sessions"]
    assert [row["session_id"] for row in rows] == ids[::-1]
    assert [row["is_active"] for row in rows] == [True, False, False]
    for row in rows:
        assert row.keys() == {"session_id", "description", "created_at", "last_active", "is_active", "project_id"}
        assert isinstance(row["project_id"], str)


def test_without_sessions_the_list_is_empty(client):
    assert client.get("/api/sessions").json == {"sessions": []}


def test_a_message_moves_its_session_to_the_top(client):
    first = client.post("/api/session").json["session_id"]
    client.post("/api/session")
    client.post("/api/chat", json={"message": "hello", "session_id": first})
    top = client.get("/api/sessions").json["sessions"][0]
    assert (top["session_id"], top["is_active"], top["description"]) == (first, True, "hello")


@pytest.mark.parametrize("extra", [{}, {"project_id": None}, {"project_id": 7}, None])
def test_a_project_id_is_a_text_also_where_a_record_has_none(client, manager, extra):
    session_id = client.post("/api/session").json["session_id"]
    row = {key: value for key, value in manager.storage.sessions.row(session_id).items() if key != "extra"}
    more = {} if extra is None else {"extra": extra}
    manager.storage.sessions.update([session_id], lambda *known: row | more)
    [listed] = client.get("/api/sessions").json["sessions"]
    assert listed["session_id"] == session_id
    assert isinstance(listed["project_id"], str)


def test_a_session_is_resumed(send, client):
    first = client.post("/api/session").json["session_id"]
    client.post("/api/session")
    answer = send("/api/session/resume", session_id=first)
    assert (answer.status_code, answer.json) == (200, {"session_id": first, "resumed": True})
    assert client.get("/api/session").json["session_id"] == first


def test_a_message_is_answered(send, client):
    session_id = client.post("/api/session").json["session_id"]
    answer = send("/api/chat", message="hello")
    assert answer.status_code == 200
    assert answer.json == {"response": "You said: hello", "session_id": session_id, "session_connected": True}


def test_a_message_goes_to_the_session_it_names(send, client, backend):
    first = client.post("/api/session").json["session_id"]
    client.post("/api/session")
    answer = send("/api/chat", message="hello", session_id=first)
    assert answer.json["session_id"] == first
    assert backend.asked == [(first, "hello")]


def test_an_answer_keeps_its_characters(client):
    client.post("/api/session")
    answer = client.post("/api/chat", json={"message": "Grüße 🙂\u2028\x85 </script>"})
    assert answer.json["response"] == "You said: Grüße 🙂\u2028\x85 </script>"


def test_a_message_without_a_session_says_how_to_make_one(send):
    answer = send("/api/chat", message="hello")
    assert answer.status_code == 409
    assert answer.json == {
        "error": "No active session. Create one first via POST /api/session.",
        "session_connected": False,
    }


def test_the_current_session_is_ended(client):
    session_id = client.post("/api/session").json["session_id"]
    answer = client.post("/api/end")
    assert (answer.status_code, answer.json) == (200, {"ended": True, "session_id": session_id})
    assert client.get("/api/session").json["connected"] is False


def test_a_named_session_is_ended_and_the_current_one_stays(send, client):
    first, second = (client.post("/api/session").json["session_id"] for _ in range(2))
    answer = send("/api/end", session_id=first)
    assert answer.json == {"ended": True, "session_id": first}
    assert client.get("/api/session").json["session_id"] == second


def test_ending_nothing_is_no_error(client):
    answer = client.post("/api/end")
    assert (answer.status_code, answer.json) == (200, {"ended": False, "message": "No active session."})


def test_a_session_that_the_backend_forgot_can_be_ended(client, backend):
    session_id = client.post("/api/session").json["session_id"]
    backend.fail["end_session"] = SessionUnknown(session_id)
    assert client.post("/api/end").json == {"ended": True, "session_id": session_id}


@pytest.mark.parametrize("path", READING)
def test_reading_changes_nothing_on_the_disk(client, home, path):
    client.get(path)
    assert snapshot(home) == {} if home.exists() else True
    client.post("/api/session")
    client.post("/api/chat", json={"message": "hello"})
    before = snapshot(home)
    assert client.get(path).status_code == 200
    assert snapshot(home) == before


def test_reading_asks_no_backend(client, backend):
    client.post("/api/session")
    backend.calls.clear()
    client.get("/api/session")
    client.get("/api/sessions")
    assert backend.calls == []


# Memory commands


def test_remembering_works_without_a_session(send):
    answer = send("/api/chat", message="Remember this: I prefer green tea")
    assert answer.status_code == 200
    body = answer.json
    assert body.keys() == {"response", "memory_action", "memory_result", "session_connected"}
    memory = body["memory_result"]
    assert memory.keys() == {"id", "timestamp", "category", "content", "tags"}
    assert (memory["id"], memory["content"], memory["category"]) == ("mem-001", "I prefer green tea", "preference")
    assert body["response"] == (
        f"Remembered! Stored as mem-001 (category: preference, tags: {', '.join(memory['tags'])})"
    )
    assert (body["memory_action"], body["session_connected"]) == ("remember", False)


def test_recalling_gives_what_was_found(send, client):
    stored = client.post("/api/chat", json={"message": "remember: green tea"}).json["memory_result"]
    answer = send("/api/chat", message="what do you remember about TEA?")
    assert answer.json == {
        "response": f"Found 1 memory(ies):\n\n- [mem-001] ({stored['category']}) green tea",
        "memory_action": "recall",
        "memory_result": [stored],
        "session_connected": False,
    }


def test_recalling_nothing_gives_an_empty_list(client):
    answer = client.post("/api/chat", json={"message": "recall coffee"})
    assert answer.json["memory_result"] == []
    assert answer.json["response"] == "No memories found matching 'coffee'."


def test_a_memory_command_says_whether_there_is_a_session(client):
    command = {"message": "recall tea"}
    assert client.post("/api/chat", json=command).json["session_connected"] is False
    session_id = client.post("/api/session").json["session_id"]
    assert client.post("/api/chat", json=command).json["session_connected"] is True
    client.post("/api/end")
    assert client.post("/api/chat", json=command).json["session_connected"] is False
    assert client.post("/api/chat", json={**command, "session_id": session_id}).json["session_connected"] is True
    assert client.post("/api/chat", json={**command, "session_id": "no-such"}).json["session_connected"] is False


def test_a_memory_command_asks_no_backend(client, backend):
    client.post("/api/session")
    backend.calls.clear()
    client.post("/api/chat", json={"message": "remember that tea is green"})
    assert backend.calls == []


@pytest.mark.files
def test_a_memory_is_on_the_disk_and_the_sessions_are_as_before(client, home):
    client.post("/api/session")
    before = snapshot(home)
    client.post("/api/chat", json={"message": "remember: green tea"})
    changed = {name for name, data in snapshot(home).items() if before.get(name, b"absent") != data}
    assert {name for name in changed if not name.endswith(".lock")} == {"memory-store.yaml"}


# Accepted input


@pytest.mark.parametrize("path", ["/api/session", "/api/end"])
@pytest.mark.parametrize(
    "body", [{}, {"data": b""}, {"data": b"  \n"}, {"json": {}}, {"content_type": JSON}, {"data": {}}]
)
def test_where_every_field_is_optional_there_may_be_no_body(client, path, body):
    assert client.post(path, **body).status_code == 200


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_an_optional_field_that_is_null_or_blank_counts_as_not_given(client, value):
    answer = client.post("/api/session", json={"working_dir": value, "description": value})
    assert answer.json["working_dir"] == "~"
    assert client.get("/api/sessions").json["sessions"][0]["description"] == "Web chat session"


def test_fields_that_nobody_knows_are_passed_over(send, client):
    client.post("/api/session")
    assert send("/api/chat", message="hello", model="x", stream="yes").json["response"] == "You said: hello"


def test_json_in_any_json_type_is_read(client):
    client.post("/api/session")
    answer = client.post("/api/chat", data='{"message": "hello"}', content_type="application/merge-patch+json")
    assert answer.json["response"] == "You said: hello"


@pytest.mark.parametrize(
    ("path", "field", "text"),
    [
        ("/api/chat", "message", "message is required"),
        ("/api/session/resume", "session_id", "session_id is required"),
    ],
)
class TestARequiredField:
    def test_must_be_there(self, client, path, field, text):
        for body in ({}, {"json": {}}, {"data": {}}, {"json": {field: None}}, {"data": b"", "content_type": JSON}):
            answer = client.post(path, **body)
            assert (answer.status_code, error_of(answer)) == (400, text)

    def test_must_be_more_than_blanks(self, send, path, field, text):
        for blank in ("", " ", "\t\r\n", "\u00a0\u2003", "\x1f"):
            answer = send(path, **{field: blank})
            assert (answer.status_code, error_of(answer)) == (400, text), ascii(blank)


MALFORMED = {
    "cut": b'{"message": "hi"',
    "nothing but a brace": b"{",
    "single quotes": b"{'message': 'hi'}",
    "two values": b'{"message": "hi"} {"message": "hi"}',
    "a form": b"message=hi",
    "a control character": b'{"message": "\x01"}',
    "an array": b'["message"]',
    "a text": b'"message"',
    "a number": b"7",
    "true": b"true",
    "null": b"null",
    "a number of many digits": b'{"message": ' + b"9" * 10_000 + b"}",
    "invalid UTF-8": b'{"message": "\xff\xfe"}',
    "an encoded surrogate": b'{"message": "\xed\xa0\x80"}',
    "UTF-16": '{"message": "hi"}'.encode("utf-16"),
    "deep arrays": b'{"message": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep and open": b"[" * 500_000,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_body_that_is_no_json_object_is_refused(client, name):
    for path in WRITING:
        answer = client.post(path, data=MALFORMED[name], content_type=JSON)
        assert answer.status_code == 400, path
        error_of(answer)
    assert client.get("/api/sessions").json == {"sessions": []}


def test_a_body_of_another_type_is_refused_and_told_what_is_taken(client):
    answer = client.post("/api/chat", data="hello", content_type="text/plain")
    assert answer.status_code == 400
    assert "application/json" in error_of(answer)


FIELDS = [
    ("/api/session", "working_dir"),
    ("/api/session", "description"),
    ("/api/session/resume", "session_id"),
    ("/api/chat", "message"),
    ("/api/chat", "session_id"),
    ("/api/end", "session_id"),
]


def with_field(path: str, field: str, value: object) -> dict[str, object]:
    return ({"message": "hello"} if path == "/api/chat" else {}) | {field: value}


@pytest.mark.parametrize(("path", "field"), FIELDS)
def test_a_value_of_a_wrong_type_is_refused(client, path, field):
    for value in (7, 1.5, True, False, [], ["x"], {}, {"a": "b"}):
        answer = client.post(path, json=with_field(path, field, value))
        assert answer.status_code == 400, value
        assert field in error_of(answer)


@pytest.mark.parametrize(("path", "field"), FIELDS)
def test_a_nul_is_refused(send, path, field):
    for value in ("a\0b", "\0"):
        answer = send(path, **with_field(path, field, value))
        assert answer.status_code == 400
        assert field in error_of(answer)


@pytest.mark.parametrize(("path", "field"), FIELDS)
def test_half_a_character_is_refused(client, path, field):
    for value in ("\ud800", "a\udfffb", "\ude00\ud83d"):
        answer = client.post(path, json=with_field(path, field, value))
        assert answer.status_code == 400, ascii(value)
        assert field in error_of(answer)


def test_a_pair_of_surrogates_is_one_character(client):
    client.post("/api/session")
    answer = client.post("/api/chat", data=r'{"message": "\ud83d\ude42"}', content_type=JSON)
    assert answer.json["response"] == "You said: 🙂"


@pytest.mark.parametrize("body", [b"message=%ff", b"message=\xff", b"message=a&other=%ed%a0%80", b"%c3=1&message=a"])
def test_a_form_that_is_not_utf_8_is_refused(client, body):
    client.post("/api/session")
    answer = client.post("/api/chat", data=body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 400
    assert "UTF-8" in error_of(answer)


def test_a_multipart_form_that_is_not_utf_8_is_refused(client):
    body = b'--x\r\nContent-Disposition: form-data; name="message"\r\n\r\n\xff\r\n--x--\r\n'
    answer = client.post("/api/chat", data=body, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 400
    assert "UTF-8" in error_of(answer)


@pytest.mark.parametrize(
    ("field", "file", "status"),
    [
        (b"\xff", b"a.txt", 400),
        (b"half \xe6\x97", b"a.txt", 400),
        (b"hi", b"\xff.txt", 400),
        ("\ufffd is a character".encode(), b"a.txt", 200),
        ("日本".encode(), "日本.txt".encode(), 200),
    ],
)
def test_nor_is_one_with_a_file_that_is_not(client, backend, field, file, status):
    client.post("/api/session")
    head = b"--x\r\nContent-Disposition: form-data; name="
    body = head + b'"file"; filename="' + file + b'"\r\n\r\nplain\r\n'
    body += head + b'"message"\r\n\r\n' + field + b"\r\n--x--\r\n"
    answer = client.post("/api/chat", data=body, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == status
    if status == 400:
        assert "UTF-8" in error_of(answer)
    else:
        assert backend.asked[0][1].startswith(field.decode())


def test_a_picture_among_the_fields_need_not_be_utf_8(client, backend):
    client.post("/api/session")
    form = {"message": "hi \ufffd", "file": (io.BytesIO(png()), "a.png")}
    assert client.post("/api/chat", data=form).status_code == 200
    assert [name for name, data in backend.shown] == ["a.png"]


def test_a_refused_message_leaves_no_trace(client, home):
    client.post("/api/session")
    before = snapshot(home)
    client.post("/api/chat", json={"message": "a\0b"})
    client.post("/api/chat", json={"message": "\ud800"})
    assert snapshot(home) == before


# Size


@pytest.mark.parametrize("path", WRITING)
def test_a_body_above_one_mebibyte_is_refused(send, path):
    answer = send(path, message="x" * MIB, session_id="x", description="x")
    assert answer.status_code == 413
    assert "1 MiB" in error_of(answer)


def test_a_body_of_one_mebibyte_is_taken(client, backend):
    client.post("/api/session")
    backend.plays("fine")
    frame = len('{"message":""}')
    body = json.dumps({"message": "x" * (MIB - frame)}, separators=(",", ":"))
    assert len(body) == MIB
    assert client.post("/api/chat", data=body, content_type=JSON).json["response"] == "fine"
    assert len(backend.asked[0][1]) == MIB - frame


def test_a_big_form_field_is_taken_up_to_the_limit_of_the_body(client, backend):
    client.post("/api/session")
    backend.plays("fine")
    assert client.post("/api/chat", data={"message": "x" * (MIB - 100)}).json["response"] == "fine"
    backend.plays("fine")
    fields = {"message": "x" * (MIB - 1000)}
    assert client.post("/api/chat", data=fields, content_type="multipart/form-data").json["response"] == "fine"


# Failures


@pytest.mark.parametrize("error", [RuntimeError("secret"), OSError("secret"), ConnectionError("secret")])
@pytest.mark.parametrize(
    ("call", "path"),
    [
        ("create_session", "/api/session"),
        ("resume_session", "/api/session/resume"),
        ("send_message", "/api/chat"),
        ("end_session", "/api/end"),
    ],
)
def test_a_backend_that_is_down_is_told_without_its_words(client, backend, call, path, error):
    session_id = client.post("/api/session").json["session_id"]
    backend.fail[call] = error
    answer = client.post(path, json={"message": "hello", "session_id": session_id})
    assert answer.status_code == 503
    assert "secret" not in error_of(answer)
    assert client.get("/api/session").json["session_id"] == session_id


def test_what_the_backend_says_for_people_is_passed_on(client, backend):
    backend.fail["create_session"] = BackendUnavailable("The model is being repaired.")
    answer = client.post("/api/session")
    assert (answer.status_code, error_of(answer)) == (503, "The model is being repaired.")


def test_a_failure_in_mid_answer_is_an_error_and_the_next_message_is_taken(client, backend):
    client.post("/api/session")
    backend.plays("half", RuntimeError("secret"))
    answer = client.post("/api/chat", json={"message": "hello"})
    assert answer.status_code == 503
    assert "secret" not in answer.text
    assert client.post("/api/chat", json={"message": "again"}).json["response"] == "You said: again"


@pytest.mark.parametrize("call", ["create_session", "resume_session", "send_message", "end_session"])
def test_what_nobody_foresaw_has_a_reference_that_is_in_the_log(client, backend, caplog, call):
    paths = dict(zip(["create_session", "resume_session", "send_message", "end_session"], WRITING, strict=True))
    session_id = client.post("/api/session").json["session_id"]
    backend.fail[call] = KeyError("secret-word")
    with caplog.at_level(logging.ERROR):
        answer = client.post(paths[call], json={"message": "hello", "session_id": session_id})
    assert answer.status_code == 500
    text = error_of(answer)
    assert "secret-word" not in answer.text
    assert "KeyError" not in answer.text
    reference = re.search(r"\b[0-9a-f]{8}\b", text)[0]
    [record] = [record for record in caplog.records if reference in record.getMessage()]
    assert "secret-word" in caplog.text
    assert record.exc_info


def test_a_decoding_error_of_the_backend_ends_no_session(client, backend):
    session_id = client.post("/api/session").json["session_id"]
    backend.plays(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "secret"))
    answer = client.post("/api/chat", json={"message": "hello"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert client.get("/api/session").json["session_id"] == session_id


@pytest.mark.parametrize("error", [SessionEnded(), ValueError("secret")])
def test_a_session_that_the_backend_ended_is_no_longer_current(client, backend, error):
    session_id = client.post("/api/session").json["session_id"]
    backend.plays(error)
    answer = client.post("/api/chat", json={"message": "hello"})
    assert answer.status_code == 409
    assert answer.json.keys() == {"error", "session_connected"}
    assert answer.json["error"].startswith("This session has ended.")
    assert answer.json["session_connected"] is False
    assert client.get("/api/session").json["connected"] is False
    [row] = client.get("/api/sessions").json["sessions"]
    assert (row["session_id"], row["is_active"]) == (session_id, False)


@pytest.mark.parametrize("path", ["/api/chat", "/sessions/SESSION/messages"])
def test_a_retry_is_told_as_well_that_the_backend_ended_the_session(client, backend, path):
    session_id = client.post("/api/session").json["session_id"]
    backend.plays(SessionEnded())
    sent = {"message": "hello", "session_id": session_id, "key": "one-key"}
    answers = [client.post(path.replace("SESSION", session_id), json=sent, headers={"Accept": JSON}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [409, 409]
    assert answers[1].json == answers[0].json == {"error": str(SessionEnded()), "session_connected": False}
    assert backend.asked == [(session_id, "hello")]


def test_a_resume_that_the_backend_refuses_says_that_the_session_is_not_connected(client, backend):
    session_id = client.post("/api/session").json["session_id"]
    client.post("/api/end")
    backend.fail["resume_session"] = SessionEnded()
    answer = client.post("/api/session/resume", json={"session_id": session_id})
    assert (answer.status_code, answer.json["session_connected"]) == (409, False)
    assert client.get("/api/session").json["connected"] is False


def test_an_ended_session_can_be_resumed_and_answers(client, backend):
    session_id = client.post("/api/session").json["session_id"]
    backend.plays(SessionEnded())
    client.post("/api/chat", json={"message": "hello"})
    assert client.post("/api/session/resume", json={"session_id": session_id}).json["resumed"] is True
    assert client.post("/api/chat", json={"message": "again"}).json["response"] == "You said: again"


def test_a_session_that_the_backend_forgot_is_resumed_unseen(client, backend):
    client.post("/api/session")
    client.post("/api/chat", json={"message": "one"})
    backend.plays(SessionUnknown("x"))
    assert client.post("/api/chat", json={"message": "two"}).json["response"] == "You said: two"
    assert [item["content"] for item in backend.histories[-1]] == ["one", "You said: one"]


def test_a_backend_that_forgets_at_once_is_told_in_a_sentence(client, backend):
    client.post("/api/session")
    backend.plays(SessionUnknown("secret"))
    backend.plays(SessionUnknown("secret"))
    answer = client.post("/api/chat", json={"message": "hello"})
    assert answer.status_code == 503
    assert "secret" not in error_of(answer)


def test_a_second_message_while_an_answer_is_written_is_refused(client, backend, app):
    client.post("/api/session")
    going_on = threading.Event()
    backend.plays("half", going_on, " whole")
    answers = []

    def ask():
        answers.append(app.test_client().post("/api/chat", json={"message": "one"}))

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: backend.asked)
    refused = client.post("/api/chat", json={"message": "two"})
    going_on.set()
    asking.join()
    assert refused.status_code == 409
    assert "Still answering" in error_of(refused)
    assert answers[0].json["response"] == "half whole"
    assert client.post("/api/chat", json={"message": "three"}).status_code == 200


def test_a_stopped_answer_says_so(client, backend, app, manager):
    session_id = client.post("/api/session").json["session_id"]
    backend.plays("half", threading.Event())
    answers = []
    asking = threading.Thread(
        target=lambda: answers.append(app.test_client().post("/api/chat", json={"message": "one"}))
    )
    asking.start()
    until(lambda: [message.content for message in manager.conversation(session_id).messages] == ["one", "half"])
    client.post(f"/sessions/{session_id}/stop")
    asking.join()
    assert (answers[0].status_code, answers[0].json["response"], answers[0].json["status"]) == (200, "half", "stopped")


@pytest.mark.files
def test_the_next_message_is_taken_also_when_the_end_of_an_answer_cannot_be_noted(client, backend, app, home, manager):
    session_id = client.post("/api/session").json["session_id"]
    going_on = threading.Event()
    backend.plays(going_on, "whole")
    posted = manager.post_message(session_id, "one")
    activity = home / "server" / "web-chat-activity.jsonl"
    kept = activity.read_bytes()
    activity.unlink()
    activity.mkdir()
    going_on.set()
    assert posted.run.wait(30)
    activity.rmdir()
    activity.write_bytes(kept)
    assert client.post("/api/chat", json={"message": "two"}).json["response"] == "You said: two"


@pytest.mark.parametrize(
    "where", ["/no/such/folder", "no-such-folder", "~no-such-person/x", "/" + "a" * 5000, __file__]
)
def test_a_working_dir_that_is_no_folder_is_refused(send, client, backend, where):
    answer = send("/api/session", working_dir=where)
    assert answer.status_code == 400
    assert "folder" in error_of(answer)
    assert backend.calls == []
    assert client.get("/api/sessions").json == {"sessions": []}


@pytest.mark.parametrize("path", ["/api/session/resume", "/api/chat", "/api/end"])
def test_an_unknown_session_is_not_found(send, path):
    for session_id in ("no-such", "../../etc/passwd", "x" * 10_000, "é", "-", "."):
        answer = send(path, message="hello", session_id=session_id)
        assert answer.status_code == 404, session_id
        assert "not found" in error_of(answer)


def test_a_backend_that_names_a_session_badly_is_refused(client, backend, monkeypatch):
    from webchat.backends import SessionInfo

    monkeypatch.setattr(backend, "create_session", lambda *_: SessionInfo("../x"))
    answer = client.post("/api/session")
    assert answer.status_code == 503
    assert client.get("/api/sessions").json == {"sessions": []}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/chat", {"POST", "OPTIONS"}),
        ("GET", "/api/end", {"POST", "OPTIONS"}),
        ("GET", "/api/session/resume", {"POST", "OPTIONS"}),
        ("POST", "/api/sessions", {"GET", "HEAD", "OPTIONS"}),
        ("DELETE", "/api/session", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("PUT", "/api/session", {"GET", "HEAD", "POST", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_told_which_are_right(client, method, path, allowed):
    answer = client.open(path, method=method)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed
    error_of(answer)


def test_an_unknown_api_address_answers_in_json(client):
    answer = client.get("/api/nothing", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    error_of(answer)


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/json", "", "image/png"])
def test_it_is_json_whatever_a_browser_accepts(client, accept):
    client.post("/api/session")
    answer = client.post("/api/chat", json={"message": "hello"}, headers={"Accept": accept})
    assert answer.json["response"] == "You said: hello"


def test_htmx_headers_do_not_turn_an_answer_into_html(client):
    client.post("/api/session", headers=HTMX)
    assert client.post("/api/chat", json={"message": "hello"}, headers=HTMX).json["response"] == "You said: hello"
    assert client.post("/api/chat", json={"message": "recall x"}, headers=HTMX).json["memory_action"] == "recall"


# Streams


def test_the_answer_comes_as_plain_text(client):
    session_id = client.post("/api/session").json["session_id"]
    answer = client.post("/api/chat", json={"message": "hello"}, headers={"Accept": "text/plain"})
    assert (answer.mimetype, answer.text) == ("text/plain", "You said: hello")
    assert answer.headers["X-Session-Id"] == session_id


def test_the_answer_comes_as_events(client):
    session_id = client.post("/api/session").json["session_id"]
    answer = client.post("/api/chat", data={"message": "hello"}, headers={"Accept": "text/event-stream"})
    assert answer.mimetype == "text/event-stream"

    events = [(event.name, json.loads(event.data)) for event in parse_events(answer.text)]
    assert "".join(data["text"] for name, data in events if name == "delta") == "You said: hello"
    name, data = events[-1]
    assert (name, data["status"], data["session_id"]) == ("done", "complete", session_id)


@pytest.mark.parametrize("accept", ["text/plain", "text/event-stream"])
def test_an_error_to_whoever_wants_a_stream_is_a_status_and_a_sentence(client, accept):
    answer = client.post("/api/chat", json={"message": "hello"}, headers={"Accept": accept})
    assert answer.status_code == 409
    assert answer.text == "No active session. Create one first via POST /api/session.\n"


def test_a_memory_command_is_answered_as_plain_text_too(client):
    answer = client.post("/api/chat", data={"message": "recall tea"}, headers={"Accept": "text/plain"})
    assert (answer.mimetype, answer.text) == ("text/plain", "No memories found matching 'tea'.")


# Others


def test_the_sessions_of_an_earlier_process_are_there(client, home, backend):
    session_id = client.post("/api/session").json["session_id"]
    client.post("/api/chat", json={"message": "hello"})
    other = create_app({"AMPLIFIER_HOME": str(home), "TESTING": True}, backend=backend).test_client()
    assert other.get("/api/session").json["session_id"] == session_id
    assert other.get("/api/sessions").json == client.get("/api/sessions").json
