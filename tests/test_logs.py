"""The log: a line for each request and each reply, with a reference that errors show, and no text of messages."""

from __future__ import annotations

import json
import logging
import re
import sys

import httpx
import pytest
from flask.testing import FlaskClient

from tests.conftest import HTMX
from tests.processes import run_in_another_process
from tests.reading import Whole, until
from webchat import create_app
from webchat.errors import BackendUnavailable
from webchat.serving.logs import HumanLines, JsonLines, printable

JSON = {"Accept": "application/json"}


@pytest.fixture
def client(app):
    """Reads each response to its end, as a browser does; the request has then ended."""
    app.test_client_class = Whole
    return app.test_client()


@pytest.fixture
def lines(caplog):
    """The arguments of the lines that a logger ("request" or "reply") has written so far."""
    caplog.set_level(logging.INFO, "webchat")
    return lambda what: [record.args for record in caplog.records if record.name == f"webchat.{what}"]


def test_each_request_is_a_line(client, lines):
    answer = client.get("/sessions?q=planted-word")
    [line] = lines("request")
    assert (line["method"], line["path"]) == ("GET", "/sessions")
    assert (line["status"], line["bytes"]) == (200, len(answer.data))
    assert line["route"] == "webchat.sessions"
    assert line["client"] == "127.0.0.1"
    assert line["ms"] >= 0
    assert line["reference"] == answer.headers["X-Request-ID"]
    assert "planted-word" not in str(line)


def test_a_stream_is_a_line_when_it_has_ended(app, lines, manager):
    session_id = manager.create_session().session_id
    with FlaskClient(app, app.response_class).get(f"/events?session={session_id}") as stream:
        sent = len(next(stream.iter_encoded()))
        assert lines("request") == []
    [line] = lines("request")
    assert (line["path"], line["bytes"]) == ("/events", sent)


def test_what_is_refused_is_a_line_too(client, lines):
    client.get("/", headers={"Host": "evil.example"})
    client.post("/sessions", headers={"Sec-Fetch-Site": "cross-site"})
    client.get("/nowhere")
    assert [(line["status"], line["error"]) for line in lines("request")] == [
        (421, "MisdirectedRequest"),
        (403, "Forbidden"),
        (404, "NotFound"),
    ]


def test_probes_do_not_fill_the_log(client, lines, caplog):
    client.get("/healthz")
    client.get("/readyz")
    assert lines("request") == []
    caplog.set_level(logging.DEBUG, "webchat")
    client.get("/healthz")
    assert [line["path"] for line in lines("request")] == ["/healthz"]


@pytest.mark.parametrize("given", ["abcd-1234", "f" * 64, "00000000-0000-4000-8000-000000000000"])
def test_a_reference_that_a_proxy_gives_is_taken(client, given):
    assert client.get("/", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["short", "f" * 65, "with space", "<script>1", "número-12", "line\x1b[31m00", ""])
def test_a_reference_that_does_not_look_like_one_is_not(client, given):
    mine = client.get("/", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{8}", mine)


def test_each_request_has_a_reference_of_its_own(client):
    assert len({client.get("/").headers["X-Request-ID"] for _ in range(20)}) == 20


@pytest.mark.parametrize(
    "headers",
    [{}, HTMX, {"Accept": "application/json"}, {"Accept": "text/plain"}],
    ids=["page", "htmx", "json", "text"],
)
def test_an_unforeseen_error_shows_the_reference_of_its_request(client, backend, caplog, headers):
    backend.fail["create_session"] = KeyError("secret-word")
    answer = client.post("/sessions", headers={**headers, "X-Request-ID": "proxy-gave-this-1"})
    assert answer.status_code == 500
    assert answer.headers["X-Request-ID"] == "proxy-gave-this-1"
    assert "reference proxy-gave-this-1" in answer.text
    assert "secret-word" not in answer.text
    [record] = [record for record in caplog.records if record.exc_info]
    assert "proxy-gave-this-1" in record.getMessage()


def test_an_unforeseen_end_of_a_reply_has_the_reference_of_who_asked(client, backend, manager):
    backend.plays("so far", KeyError("secret-word"))
    session_id = manager.create_session().session_id
    url = f"/sessions/{session_id}/messages"
    told = client.post(url, json={"message": "hi"}, headers={**JSON, "X-Request-ID": "who-asked-1"})
    assert "reference who-asked-1" in told.json["error"]
    assert "reference who-asked-1" in client.get(f"/sessions/{session_id}").text


def test_each_reply_is_a_line(client, lines, backend, manager):
    session_id = manager.create_session(description="planted-title").session_id
    backend.plays("planted", " answer")
    url = f"/sessions/{session_id}/messages"
    answer = client.post(url, json={"message": "planted-word"}, headers={**JSON, "X-Request-ID": "who-asked-1"})
    assert answer.json["response"] == "planted answer"
    [line] = lines("reply")
    assert {name: line[name] for name in ("session", "status", "model", "pieces", "error")} == {
        "session": session_id[:8],
        "status": "complete",
        "model": "Scripted",
        "pieces": 2,
        "error": "",
    }
    assert 0 <= line["first_ms"] <= line["ms"]


def test_a_reply_that_failed_is_a_line_with_the_kind_of_error(lines, backend, manager, caplog):
    manager.create_session()
    backend.plays(BackendUnavailable("planted-word"))
    with pytest.raises(BackendUnavailable):
        manager.send_message("hi")
    [line] = lines("reply")
    assert (line["status"], line["error"], line["first_ms"]) == ("failed", "BackendUnavailable", None)
    assert "failed (BackendUnavailable), no piece" in caplog.text
    assert "planted-word" not in caplog.text


def test_who_wants_to_know_more_is_told_why_a_reply_failed(backend, manager, caplog):
    caplog.set_level(logging.DEBUG, "webchat")
    manager.create_session()
    backend.plays(BackendUnavailable("The agent sleeps."))
    with pytest.raises(BackendUnavailable):
        manager.send_message("hi")
    assert "The agent sleeps." in caplog.text


HOSTILE = "a\x1b[31m\r\nGET / 200 \u202egnp.exe\u200b\x7f\x9b31m\ud800"


def record_of(text, *args, exc_info=None):
    return logging.LogRecord("webchat.test", logging.WARNING, __file__, 1, text, args, exc_info)


def raised(error):
    try:
        raise error
    except Exception:
        return sys.exc_info()


def test_what_a_terminal_would_obey_is_an_escape():
    assert printable(HOSTILE) == r"a\x1b[31m\r\nGET / 200 \u202egnp.exe\u200b\x7f\x9b31m\ud800"
    assert printable("größer – 日本語 🙂 \\x1b") == "größer – 日本語 🙂 \\x1b"


@pytest.mark.parametrize("formatter", [HumanLines(), JsonLines()])
def test_no_argument_and_no_exception_gets_through_as_it_is(formatter):
    line = formatter.format(record_of("said %s", HOSTILE, exc_info=raised(ValueError(HOSTILE))))
    assert not [character for character in line if character != "\n" and not character.isprintable()]
    assert r"\x1b[31m" in line or r"\u001b[31m" in line


def test_no_line_below_a_record_can_pass_for_one():
    head, *rest = HumanLines().format(record_of("said", exc_info=raised(ValueError("x\n2026-01-01 INFO")))).split("\n")
    assert head.endswith("WARNING webchat.test: said")
    assert len(rest) > 3
    assert all(line.startswith("    ") for line in rest)


def test_a_record_in_json_is_one_line_with_its_fields():
    line = JsonLines().format(record_of("%(status)s in %(ms)d", {"status": "complete", "ms": 3}))
    assert "\n" not in line
    told = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", told.pop("at"))
    assert told == {
        "level": "warning",
        "logger": "webchat.test",
        "text": "complete in 3",
        "status": "complete",
        "ms": 3,
    }


def test_a_field_does_not_hide_what_every_record_has():
    told = json.loads(JsonLines().format(record_of("%(level)s", {"level": "forged", "logger": "forged"})))
    assert (told["level"], told["logger"], told["text"]) == ("warning", "webchat.test", "forged")


def test_an_embedding_application_keeps_its_own_log(home):
    code = """
        import logging, sys
        from webchat import create_app
        create_app({"AMPLIFIER_HOME": sys.argv[1], "WEBCHAT_BACKEND": "mock"}).test_client().get("/")
        own = logging.getLogger("webchat")
        print(logging.getLogger().handlers, own.handlers, own.level == logging.NOTSET)
    """
    assert run_in_another_process(code, home).split() == ["[]", "[]", "True"]


def visit(server):
    """Requests a page, an answer, an error and a path with terminal escapes; returns the answer's reference."""
    httpx.get(f"{server.url}/sessions?q=planted-word")
    httpx.get(f"{server.url}/%1b%5b31mred%0aforged")
    posted = httpx.post(
        f"{server.url}/messages",
        data={"message": "planted-word"},
        headers={"Accept": "text/plain", "Authorization": "Bearer planted-word", "Cookie": "x=planted-word"},
    )
    assert "planted-word" in posted.text
    until(lambda: any("POST /messages" in line for line in server.errors))
    return posted.headers["X-Request-ID"]


def test_a_real_server_writes_lines_for_people(serve):
    server = serve("--backend", "mock", "--mock-delay", "0", env={"WEBCHAT_API_KEY": "planted-word"})
    reference = visit(server)
    text = "".join(server.errors)
    start = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO webchat\."
    assert re.search(start + r"request: GET /sessions 200 \d+ ms \d+ bytes 127\.0\.0\.1 [0-9a-f]{8}$", text, re.M)
    assert re.search(start + rf"request: POST /messages 200 \d+ ms \d+ bytes 127\.0\.0\.1 {reference}$", text, re.M)
    assert re.search(start + rf"reply: reply in \w{{8}}: complete, .*, Mock, .* \[{reference}\]$", text, re.M)
    assert r"GET /\x1b[31mred\nforged 404" in text
    assert "planted-word" not in text
    assert "\x1b" not in text


def test_a_real_server_writes_json(serve):
    server = serve("--backend", "mock", "--mock-delay", "0", "--log-format", "json")
    reference = visit(server)
    told = [json.loads(line) for line in server.errors]
    mine = [line for line in told if line.get("reference") == reference]
    assert {line["logger"] for line in mine} == {"webchat.request", "webchat.reply"}
    assert "planted-word" not in "".join(server.errors)
    assert any(line["path"] == "/\x1b[31mred\nforged" for line in told if line["logger"] == "webchat.request")


def test_a_real_server_that_shall_tell_of_trouble_alone_is_silent(serve):
    server = serve("--backend", "mock", "--mock-delay", "0", "--log-level", "warning")
    httpx.get(server.url)
    httpx.post(f"{server.url}/messages", data={"message": "hi"}, headers={"Accept": "text/plain"})
    server.terminate()
    assert server.errors == []


def test_a_request_line_names_the_person_who_is_signed_in(home, caplog):
    caplog.set_level(logging.INFO, "webchat")
    app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_BACKEND": "mock", "WEBCHAT_AUTH_HEADER": "X-Remote-User"})
    app.test_client_class = Whole
    app.test_client().get("/", headers={"X-Remote-User": "ada"})
    app.test_client().get("/")
    lines = [record for record in caplog.records if record.name == "webchat.request"]
    assert [record.args["person"] for record in lines] == ["ada", ""]
    assert " 127.0.0.1 ada " in lines[0].getMessage()
    app.extensions["webchat"].close()
