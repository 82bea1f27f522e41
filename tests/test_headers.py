"""The headers of every response: on each route, in each format, and for errors."""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import Client, TestResponse

from tests.conftest import HTMX
from tests.reading import until
from tests.scripted import ScriptedBackend
from webchat import create_app
from webchat.web import security

FACES = {
    "page": {"Accept": "text/html"},
    "fragment": HTMX,
    "JSON": {"Accept": "application/json"},
    "text": {"Accept": "text/plain"},
    "events": {"Accept": "text/event-stream"},
}
KINDS = {
    "H": "text/html",
    "J": "application/json",
    "T": "text/plain",
    "E": "text/event-stream",
    "L": "application/jsonl",
    "C": "text/css",
}
# For each route, the content types of its response in the five formats, in order. A new route needs a row.
ROUTES = {
    "GET /": "HHHHH",
    "POST /api/chat": "JHJTT",
    "POST /api/end": "JJJJJ",
    "GET /api/prompts": "JJJJJ",
    "GET /api/session": "JJJJJ",
    "POST /api/session": "JJJJJ",
    "POST /api/session/resume": "JHJTT",
    "GET /api/sessions": "JJJJJ",
    "GET /apps/settings/": "HHJHH",
    "POST /apps/settings/": "HHJTE",
    "POST /apps/settings/habits": "HHJTE",
    "POST /apps/settings/memories/<memory_id>/<action>": "HHJTT",
    "GET /apps/settings/models": "HHJHH",
    "POST /apps/settings/models/<name>/cancel": "HHJTT",
    "POST /apps/settings/models/<name>/get": "HHJTT",
    "POST /apps/settings/models/<name>/remove": "HHJTT",
    "GET /apps/settings/servers": "HHJHH",
    "POST /apps/settings/test": "HHJTT",
    "GET /events": "EEEEE",
    "GET /healthz": "JJJTJ",
    "POST /messages": "HHJTE",
    "GET /metrics": "TTTTT",
    "GET /readyz": "JJJTJ",
    "GET /sessions": "HHJHH",
    "POST /sessions": "HHJTE",
    "POST /sessions/<action>": "HHJTT",
    "GET /sessions/<session_id>": "HHJHH",
    "POST /sessions/<session_id>/<action>": "HHJTE",
    "GET /sessions/<session_id>/controls": "JJJJJ",
    "POST /sessions/<session_id>/controls": "HHJTT",
    "POST /sessions/<session_id>/copy": "HHJTE",
    "POST /sessions/<session_id>/end": "HHJTE",
    "GET /sessions/<session_id>/events": "EEEEE",
    "GET /sessions/<session_id>/export": "LLLLL",
    "GET /sessions/<session_id>/manage": "HHHHH",
    "POST /sessions/<session_id>/messages": "HHJTE",
    "GET /sessions/<session_id>/messages/<message_id>": "TTTTT",
    "POST /sessions/<session_id>/messages/<message_id>/ask": "HHJTT",
    "POST /sessions/<session_id>/messages/<message_id>/continue": "HHJTT",
    "GET /sessions/<session_id>/messages/<message_id>/edit": "HHHHH",
    "POST /sessions/<session_id>/messages/<message_id>/edit": "HHJTT",
    "GET /sessions/<session_id>/messages/<message_id>/files/<int:number>": "THTTT",
    "GET /sessions/<session_id>/pictures/<key>": "HHJTT",
    "POST /sessions/<session_id>/messages/<message_id>/fork": "HHJTT",
    "GET /sessions/<session_id>/messages/<message_id>/parts/<int:number>/input": "HHJTT",
    "GET /sessions/<session_id>/messages/<message_id>/parts/<int:number>/output/<int:place>": "HHJTT",
    "POST /sessions/<session_id>/messages/<message_id>/retry": "HHJTT",
    "POST /sessions/<session_id>/messages/<message_id>/select": "HHJTT",
    "GET /sessions/<session_id>/models": "JHJJJ",
    "POST /sessions/<session_id>/options": "HHJTE",
    "POST /sessions/<session_id>/permissions/<path:name>": "HHJTT",
    "POST /sessions/<session_id>/queue/<key>": "HHJTT",
    "POST /sessions/<session_id>/queue/<key>/remove": "HHJTT",
    "POST /sessions/<session_id>/queue/<key>/send": "HHJTT",
    "GET /sessions/<session_id>/rename": "HHHHH",
    "POST /sessions/<session_id>/rename": "HHJTT",
    "GET /sessions/<session_id>/reply": "HHHHH",
    "POST /sessions/<session_id>/resume": "HHJTE",
    "POST /sessions/<session_id>/stop": "HHJTE",
    "GET /sessions/<session_id>/title": "HHHHH",
    "GET /sessions/<session_id>/waiting": "JJJJJ",
    "GET /sessions/export": "LLLLL",
    "POST /sessions/import": "HHJTE",
    "GET /sessions/import/<key>": "HHHHH",
    "POST /sessions/import/<key>/cancel": "HHJTE",
    "GET /sessions/own": "HHJTT",
    "POST /sessions/own/<path:name>": "HHJTT",
    "GET /sign-in": "HHHHH",
    "POST /sign-in": "HHJTT",
    "POST /sign-out": "HHJHH",
    "GET /static/<path:filename>": "CCCCC",
}
TOKEN = "a-token-of-many-characters"
SETS_A_COOKIE = "POST /sign-out"
FRAMED = "/sessions/<session_id>/reply"
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "connect-src": "'self'",
    "frame-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def routes(app: Flask) -> dict[str, tuple[str, Rule]]:
    """Each route by method and rule, without the words of its choices."""
    return {
        f"{method} {re.sub(r'<any[^>]+>', '<action>', rule.rule)}": (method, rule)
        for rule in app.url_map.iter_rules()
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"})
    }


def path_of(rule: Rule, session_id: str, message_id: str) -> str:
    values = {"session_id": session_id, "message_id": message_id, "memory_id": "no-such", "filename": "app.css"}
    values |= {"number": "0", "place": "0", "name": "no-such", "key": "0" * 16}
    path = re.sub(r"<any\((\w+)[^>]*>", r"\1", rule.rule)  # the first of several words
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda match: values[match[1]], path)


@pytest.fixture
def whole_app(home, tmp_path, monkeypatch) -> Iterator[Flask]:
    """An application with all routes: without a backend of its own, for those of the models; with a token, for those of
    the sign-in.
    """
    monkeypatch.setenv("WEBCHAT_MODELS", str(tmp_path / "models"))
    values = {
        "AMPLIFIER_HOME": str(home),
        "WEBCHAT_BACKEND": "mock",
        "WEBCHAT_MOCK_DELAY": "0",
        "WEBCHAT_TOKEN": TOKEN,
        "WEBCHAT_METRICS": "on",
    }
    app = create_app(values | {"TESTING": True})
    yield app
    app.extensions["webchat"].close()


@pytest.fixture
def answers(whole_app) -> list[tuple[str, str, TestResponse]]:
    """Each route's response by its name, in each format; routes that read come last, when streams may end at once."""
    manager, client = whole_app.extensions["webchat"], whole_app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    client.post("/messages", data={"message": "hello", "file": (io.BytesIO(b"<b>"), "a.txt")}, headers=FACES["JSON"])
    session_id = manager.active_session_id
    message_id = manager.conversation(session_id).messages[0].id
    found = []
    for name, (method, rule) in sorted(routes(whole_app).items(), reverse=True):
        if method == "GET":
            manager.stopping.set()
        # Writes are refused: while a message is being answered, the formats would get different responses.
        path = path_of(rule, session_id, message_id if method == "GET" else "no-such")
        path += f"?session={session_id}" if rule.rule == "/events" else ""
        for face, headers in FACES.items():
            for way in (method, "HEAD", "OPTIONS") if method == "GET" else (method,):
                with client.open(path, method=way, headers=headers, data={"message": "hi"}, buffered=False) as answer:
                    found.append((name, f"{way} as {face}", answer))
                until(lambda: not manager.answers_in_flight)
    return found


@pytest.fixture
def busy_app(home) -> Iterator[Flask]:
    """An application whose backend fails in an unforeseen way."""
    backend = ScriptedBackend()
    app = create_app({"AMPLIFIER_HOME": str(home), "TESTING": True}, backend=backend)
    manager = app.extensions["webchat"]
    manager.create_session()
    manager.send_message("hello")
    backend.fail["create_session"] = KeyError("secret")
    yield app
    manager.close()


ERRORS = {
    404: ("GET", "/no/such/page", {}),
    405: ("DELETE", "/sessions", {}),
    409: ("POST", "/sessions/SESSION/messages", {"data": {"message": "hi", "seen": "out-of-date"}}),
    413: ("POST", "/messages", {"data": {"message": "x" * 2**21}}),
    422: ("POST", "/messages", {"data": {"message": " "}}),
    403: ("POST", "/messages", {"headers": {"Sec-Fetch-Site": "cross-site"}}),
    421: ("GET", "/", {"headers": {"Host": "evil.example"}}),
    500: ("POST", "/messages", {"data": {"message": "hi"}}),
}


@pytest.fixture
def refusals(busy_app) -> list[tuple[int, str, TestResponse]]:
    session_id, client = busy_app.extensions["webchat"].active_session_id, busy_app.test_client()
    return [
        (
            status,
            face,
            client.open(
                path.replace("SESSION", session_id),
                method=method,
                data=more.get("data"),
                headers=headers | more.get("headers", {}),
            ),
        )
        for status, (method, path, more) in ERRORS.items()
        for face, headers in FACES.items()
    ]


def assert_guarded(answer: TestResponse, name: str, *, framed: bool = False) -> None:
    headers = answer.headers
    assert headers["X-Content-Type-Options"] == "nosniff", name
    assert headers["Referrer-Policy"] == "same-origin", name
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin", name
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin", name
    assert {"camera=()", "geolocation=()", "microphone=()", "usb=()"} <= set(headers["Permissions-Policy"].split(", "))
    assert not {"Server", "X-Powered-By"} & set(headers.keys()), name
    assert ("Set-Cookie" in headers) == name.startswith(SETS_A_COOKIE), name
    policy = dict(part.split(maxsplit=1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy == POLICY | ({"frame-ancestors": "'self'"} if framed else {}), name
    assert "unsafe" not in headers["Content-Security-Policy"], name
    assert len(headers.getlist("Content-Security-Policy")) == 1, name


def test_the_page_on_security_shows_the_policy_as_it_is():
    text = (Path(__file__).parent.parent / "docs" / "security.md").read_text("utf-8")
    shown = re.search(r"Content-Security-Policy: (.*?)\n    X-", text, re.DOTALL)[1]
    assert dict(part.split(maxsplit=1) for part in re.split(r";\s+", shown)) == POLICY


def test_the_table_of_routes_is_whole(whole_app):
    assert sorted(routes(whole_app)) == sorted(ROUTES)


def test_every_route_answers_in_its_faces(answers):
    kinds = dict.fromkeys(ROUTES, "")
    letters = {kind: letter for letter, kind in KINDS.items()}
    for name, way, answer in answers:
        if not way.startswith(("HEAD", "OPTIONS")):
            kinds[name] = kinds.get(name, "") + letters[answer.mimetype]
    assert kinds == ROUTES


def test_every_answer_has_the_security_headers(answers):
    assert len(answers) > 400
    for name, way, answer in answers:
        framed = FRAMED in name and not way.startswith("OPTIONS")
        assert_guarded(answer, f"{name}, {way}", framed=framed)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"POST /messages HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /messages HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 400_000, 431),
    ],
)
def test_so_has_what_the_server_answers_without_the_application(serve, sent, status):
    port = int(serve().url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        with suppress(ConnectionError):
            connection.sendall(sent)
        answer = HTTPResponse(connection)
        answer.begin()
    assert answer.status == status
    assert {name: answer.getheader(name) for name in security.headers()} == security.headers()


def test_every_answer_says_that_it_is_ours(answers, refusals):
    for name, way, answer in answers:
        # Responses that Flask gives instead of a view, which no page requests.
        if not way.startswith("OPTIONS"):
            assert answer.headers[security.ANSWER_HEADER] == "yes", (name, way)
    for status, face, answer in refusals:
        assert answer.headers[security.ANSWER_HEADER] == "yes", (status, face)


def test_only_static_files_may_be_kept_by_a_browser(answers):
    for name, way, answer in answers:
        kept = "immutable" in answer.headers["Cache-Control"]
        assert kept == ("/static/" in name), (name, way)
        if not kept:
            assert answer.headers["Cache-Control"] == "no-store", (name, way)
            assert {"HX-Request", "Accept"} <= set(answer.vary), (name, way)


def test_every_error_has_its_face_and_the_security_headers(refusals):
    for status, face, answer in refusals:
        name = f"{status} as {face}"
        wanted = 400 if status == 422 and face == "JSON" else status
        assert (answer.status_code, answer.mimetype) == (wanted, _kind_of_error(face)), name
        assert_guarded(answer, name)
        assert answer.headers["Cache-Control"] == "no-store", name


def _kind_of_error(face: str) -> str:
    """A request for events gets an error as text: its status says that there are no events."""
    return {"JSON": "application/json", "text": "text/plain", "events": "text/plain"}.get(face, "text/html")


def test_what_a_stranger_is_told_has_the_headers_too(whole_app):
    client = whole_app.test_client()
    for name, (method, rule) in routes(whole_app).items():
        path = path_of(rule, "no-such", "no-such")
        for face, headers in FACES.items():
            answer = client.open(path, method=method, headers=headers)
            assert_guarded(answer, f"a stranger's {name} as {face}")
            assert security.ANSWER_HEADER in answer.headers, (name, face)


def test_what_is_not_there_has_the_headers_too(client):
    for path in ("/static/no-such.css", "/sessions/no-such", "/apps/settings"):
        assert_guarded(client.get(path), path)


@pytest.mark.parametrize("prefix", ["/чат", "/café", "/a b"])
def test_a_prefix_in_any_script_can_be_sent(home, prefix):
    """Servers encode headers as Latin-1, and clients differ in how they read non-ASCII characters."""
    app = create_app({"AMPLIFIER_HOME": str(home), "TESTING": True}, backend=ScriptedBackend())
    sent = []

    def below(environ, start_response):
        def start(status, headers, *rest):
            sent.extend(headers)
            return start_response(status, headers, *rest)

        environ["SCRIPT_NAME"] = prefix.encode().decode("latin-1")
        return app.wsgi_app(environ, start)

    client = Client(below)
    answer = client.post("/messages", data={"message": "hi"}, headers=HTMX)
    session_id = app.extensions["webchat"].active_session_id
    assert answer.headers["HX-Push-Url"] == f"{quote(prefix)}/sessions/{session_id}"
    there = {"HX-Current-URL": f"http://localhost{quote(prefix)}/sessions/{session_id}"}
    again = client.post(f"/sessions/{session_id}/resume", headers=HTMX | there)
    assert "HX-Push-Url" not in again.headers
    client.post(f"/sessions/{session_id}/messages", data={"message": "hi"})
    assert all(value.isascii() and value.isprintable() for _, value in sent)
    app.extensions["webchat"].close()


def test_no_header_has_a_character_that_a_server_cannot_send(app):
    told = [("X-Of-A-Host", "日本 a%20b"), ("X-Bell", "a\x07b"), ("X-Plain", "a, b")]
    with app.test_request_context("/"):
        sent = app.process_response(app.response_class("", headers=told)).headers
    assert (sent["X-Of-A-Host"], sent["X-Bell"], sent["X-Plain"]) == ("%E6%97%A5%E6%9C%AC a%20b", "a%07b", "a, b")


def test_the_link_with_the_token_may_have_any_path(whole_app):
    answer = whole_app.test_client().get(f"/sessions/a%0Ab?token={TOKEN}")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sessions/a%0Ab")
