"""Access to the chat, the policies of its pages, and file names from outside."""

from __future__ import annotations

import json
import os
import re
import sys
from itertools import product
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from tests.conftest import HTMX
from tests.reading import snapshot
from tests.scripted import ScriptedBackend
from webchat import create_app
from webchat.web import resources

TEMPLATES = sorted(resources("templates").glob("*.html"))


# Host names


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST", "localhost:1", "127.0.0.1", "127.0.0.1:65535", "127.0.0.1:80", "[::1]", "[::1]:8000"],
)
def test_our_own_names_are_answered_on_any_port(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 200


FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil.example#localhost",
    "evil.example?localhost",
    "evil.example/localhost",
    "evil.example\\localhost",
    "localhost@evil.example",
    "127.0.0.1:80@evil.example",
    "evil.example@127.0.0.1",
    "evil.example:x@localhost",
    "localhost evil.example",
    "localhost,evil.example",
    "localhost:abc",
    "0.0.0.0",
    "127.0.0.2",
    "2130706433",
    "0x7f.1",
    "[::2]",
    "[::1",
    "[::1]evil.example",
    "[::1].evil.example",
    "[::ffff:127.0.0.1]",
    "::1",
    "loсalhost",  # its third letter is Cyrillic
    "xn--lohost-1of0a",
    "",
    " ",
]


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/messages"), ("GET", "/api/session")])
def test_a_foreign_name_is_refused(client, manager, method, path):
    for host in FOREIGN_HOSTS:
        environ = {"HTTP_HOST": host.encode().decode("latin-1")}
        answer = client.open(path, method=method, data={"message": "hi"}, environ_overrides=environ)
        assert answer.status_code == 421, host
    assert manager.list_sessions() == []


@pytest.mark.parametrize("path", ["/static/app.css", "/no/such/page", "/events?session=x", "/apps/settings/"])
def test_a_foreign_name_is_refused_everywhere(client, path):
    assert client.get(path, headers={"Host": "evil.example"}).status_code == 421


def test_the_refusal_says_what_to_do_in_the_face_that_was_asked_for(client):
    foreign = {"Host": "evil.example"}
    assert "--allow-host" in client.get("/", headers=foreign).text
    assert "--allow-host" in client.get("/api/session", headers=foreign).json["error"]
    assert "evil.example" not in client.get("/", headers=foreign).text


def test_more_names_can_be_allowed(home):
    values = {"number": "0", "AMPLIFIER_HOME": str(home), "WEBCHAT_ALLOW_HOST": "chat.example, Other.Example"}
    client = create_app(values, backend=ScriptedBackend()).test_client()
    for host in ("chat.example", "CHAT.example:443", "other.example", "localhost"):
        assert client.get("/", headers={"Host": host}).status_code == 200
    for host in ("example", "sub.chat.example", "chat.example.evil.example"):
        assert client.get("/", headers={"Host": host}).status_code == 421


def test_names_from_a_proxy_header_count_for_nothing(client):
    assert client.get("/", headers={"X-Forwarded-Host": "localhost", "Host": "evil.example"}).status_code == 421


# Other sites


WRITERS = [
    "/sessions",
    "/messages",
    "/sessions/x/resume",
    "/sessions/x/stop",
    "/sessions/x/queue/x",
    "/sessions/x/queue/x/remove",
    "/sessions/x/queue/x/send",
    "/sessions/import/x/cancel",
    "/sessions/x/end",
    "/sessions/x/messages",
    "/sessions/x/permissions/x",
]
WRITERS += ["/sessions/x/messages/y/retry", "/sessions/x/messages/y/ask", "/apps/settings/"]
WRITERS += [f"/sessions/x/messages/y/{what}" for what in ("continue", "edit", "select", "fork")]
WRITERS += ["/sessions/x/options", "/sessions/x/controls", "/sessions/own/x"]
WRITERS += ["/apps/settings/test", "/apps/settings/habits", "/apps/settings/memories/x/delete"]
WRITERS += ["/sessions/x/copy", "/sessions/x/rename", "/sessions/x/delete", "/sessions/delete", "/sessions/import"]
WRITERS += ["/api/session", "/api/session/resume", "/api/chat", "/api/end"]
OURS = "http://localhost"
PASSING = [
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": OURS},
    {"Sec-Fetch-Site": "same-origin", "Origin": OURS},
    {"Sec-Fetch-Site": "none", "Origin": "null"},
]
REFUSED = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "something new"},
    {"Sec-Fetch-Site": "same-origin, cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": OURS},
    {"Sec-Fetch-Site": "same-site", "Origin": OURS},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://evil.example"},
    {"Origin": "https://localhost"},
    {"Origin": "http://localhost:8001"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost@evil.example"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "localhost"},
    {"Origin": "http://localhost/"},
]


def writing_rules(app: Flask) -> list[tuple[str, str]]:
    """Every (method, path) of the application that may change something."""
    return [
        (method, re.sub(r"<[^>]+>", "x", re.sub(r"<any[^>]+>", "delete", rule.rule)))
        for rule in app.url_map.iter_rules()
        for method in sorted(rule.methods - {"GET", "HEAD", "OPTIONS"})
    ]


def test_the_list_of_what_writes_is_whole(app):
    assert sorted(path for _, path in writing_rules(app)) == sorted(path.replace("/y/", "/x/") for path in WRITERS)


@pytest.mark.parametrize("path", WRITERS)
def test_a_page_of_another_site_writes_nothing(client, home, backend, path):
    for headers in REFUSED:
        answer = client.post(path, data={"message": "hi", "theme": "dark"}, headers=headers)
        assert answer.status_code == 403, headers
        assert "another site" in answer.text
    assert backend.calls == []
    assert not home.exists() or snapshot(home) == {}


@pytest.mark.parametrize("path", WRITERS)
def test_our_own_pages_and_scripts_write(client, path):
    for headers in PASSING:
        answer = client.post(path, data={"message": "hi", "theme": "dark"}, headers=headers)
        assert answer.status_code != 403, headers


@pytest.mark.parametrize("path", ["/", "/sessions", "/api/session", "/api/sessions", "/static/app.css"])
def test_a_link_from_another_site_is_followed(client, path):
    for headers in REFUSED:
        assert client.get(path, headers=headers).status_code == 200, headers
        assert client.head(path, headers=headers).status_code == 200, headers


def test_an_origin_with_a_port_is_ours_when_the_host_has_it(client):
    for origin, status in (("http://127.0.0.1:8123", 303), ("http://127.0.0.1", 403), ("http://127.0.0.1:812", 403)):
        answer = client.post("/messages", data={"message": "hi"}, headers={"Host": "127.0.0.1:8123", "Origin": origin})
        assert answer.status_code == status


def test_the_refusal_has_the_face_that_was_asked_for(client):
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert "another site" in client.post("/api/chat", headers=foreign).json["error"]
    fragment = client.post("/messages", headers={**foreign, **HTMX}).text
    assert fragment.lstrip().startswith("<div")


def test_no_answer_lets_another_site_read(app, client):
    for _, path in [("GET", "/"), ("GET", "/api/sessions"), ("GET", "/static/app.css")]:
        answer = client.get(path, headers={"Origin": "http://evil.example"})
        assert not [name for name, _ in answer.headers if name.lower().startswith("access-control-")]


# Nothing inline


def is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def inline(soup: BeautifulSoup) -> list[str]:
    """Everything that a strict policy would not run or apply."""
    found = [str(tag) for tag in soup.select("style, script:not([src]), [style], [srcdoc], base, object, embed")]
    for tag in soup.find_all(True):
        found += [f"{tag.name} {name}" for name in tag.attrs if re.match(r"on|hx-on|hx-vars", name)]
        # Values that are no JSON would be run.
        found += [f"{tag.name} {name}" for name in tag.attrs if "hx-vals" in name and not is_json(tag[name])]
        links = [str(tag.get(name, "")) for name in ("href", "src", "action", "hx-get", "hx-post")]
        found += [f"{tag.name} {link}" for link in links if re.match(r"\s*(javascript|data|vbscript):", link, re.I)]
    return found


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_anything_inline(template):
    text = template.read_text()
    assert inline(BeautifulSoup(text, "html.parser")) == []
    assert not re.search(r"\|\s*safe\b|autoescape\s+false|https?://|\bjs:|javascript:", text)


def test_no_page_has_anything_inline_and_nothing_from_elsewhere(client, manager, backend):
    backend.plays("# Hello\n\n- [x] one\n\n|a|b|\n|-|:-|\n|1|2|\n\n```python\nx = 1\n```\n![p](http://p.example/p.png)")
    manager.create_session()
    manager.send_message("hello")
    pages = ["/", "/sessions", "/apps/settings/", "/no-such", f"/sessions/{manager.active_session_id}"]
    pages += [f"/sessions/{manager.active_session_id}/reply"]
    for path in pages:
        for headers in ({}, HTMX):
            soup = BeautifulSoup(client.get(path, headers=headers).text, "html.parser")
            assert inline(soup) == [], path
            loaded = [str(tag.get("src") or tag.get("href")) for tag in soup.select("[src], link[href]")]
            assert all(address.startswith("/") for address in loaded), path


def test_the_scanner_of_inline_things_sees_them():
    bad = ["<p style=x>", "<style></style>", "<script>x</script>", "<b onclick=x>", "<a href=' javascript:x'>"]
    bad += ["<div hx-on:click=x>", "<iframe srcdoc=x>", "<base href=x>"]
    for html in bad:
        assert inline(BeautifulSoup(html, "html.parser")), html
    assert inline(BeautifulSoup("<script src=x></script><div one=x>", "html.parser")) == ["div one"]


# Names from outside


FOREIGN_IDS = [
    "..",
    ".",
    "../x",
    "../../server/web-chat-sessions.json",
    "%2e%2e",
    "%2e%2e%2fweb-chat-sessions",
    "..%2f..%2fetc%2fpasswd",
    "%252e%252e",
    "web-chat-sessions.json",
    "web-chat-sessions.json%00",
    "%00",
    "x%0d%0aSet-Cookie:a=b",
    "x" * 129,
    "x" * 60_000,
    "é",
    "%ff%fe",
    "🙂",
    "\u202e",
    "-rf",
    ".hidden",
    "x y",
    "<script>alert(1)</script>",
    "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
    "{{7*7}}",
    "con",
    "C:%5Cx",
]


@pytest.fixture(scope="module")
def watched() -> list[list[str]]:
    """Lists that collect each path that this process opens, from the interpreter's audit events."""
    lists: list[list[str]] = []

    def hook(event: str, args: tuple) -> None:
        if lists and event in ("open", "os.listdir", "os.scandir", "os.mkdir", "os.remove", "os.rename"):
            lists[-1].append(os.fsdecode(args[0]) if isinstance(args[0], str | bytes | Path) else "")

    sys.addaudithook(hook)  # permanently: audit hooks cannot be removed
    return lists


@pytest.fixture
def opened(watched):
    watched.append([])
    yield watched[-1]
    watched.clear()


def test_a_foreign_id_is_not_found_and_touches_no_file(client, manager, home, opened):
    manager.create_session()
    manager.send_message("hello")
    client.get("/sessions/no-such")  # templates are read now
    client.post("/sessions/no-such/messages", data={"message": "hi"})
    before = snapshot(home)
    opened.clear()
    for name, (method, path) in product(
        FOREIGN_IDS,
        [
            ("GET", "/sessions/{}"),
            ("GET", "/sessions/{}/reply"),
            ("GET", "/events?session={}"),
            ("POST", "/sessions/{}/messages"),
            ("POST", "/sessions/{}/resume"),
            ("POST", "/sessions/{}/stop"),
            ("POST", "/sessions/{}/end"),
            ("POST", "/sessions/{}/messages/x/retry"),
            ("POST", "/sessions/{}/messages/x/ask"),
            ("GET", "/sessions/{}/messages/x"),
        ],
    ):
        answer = client.open(path.format(name), method=method, data={"message": "hi"})
        # A slash or a lone dot would make it another address.
        others = (405, 308) if "/" in name or name == "." else ()
        assert answer.status_code in (404, *others), (name, path)
        assert "Set-Cookie" not in answer.headers
        assert not re.search(r"<script(?! src=)|<img", answer.text), (name, path)
    server = home / "server"
    own = {server / "web-chat-sessions.json", server / "web-chat-settings.json", server / "web-chat-activity.jsonl"}
    assert {Path(path) for path in opened if str(home) in path or "passwd" in path} <= own
    assert snapshot(home) == before


def test_a_foreign_message_id_is_not_found(client, manager, home):
    session_id = manager.create_session().session_id
    manager.send_message("hello")
    before = snapshot(home)
    for name in FOREIGN_IDS:
        others = (200, 405, 308) if "/" in name or name == "." else ()
        answer = client.get(f"/sessions/{session_id}/messages/{name}")
        assert answer.status_code in (404, *others), name
        for action in ("retry", "ask"):
            answer = client.post(f"/sessions/{session_id}/messages/{name}/{action}")
            assert answer.status_code in (404, 405, 422, 308), name
    assert snapshot(home) == before


@pytest.mark.parametrize(
    "name",
    ["../webchat/app.py", "%2e%2e/pyproject.toml", "..%2fpyproject.toml", "/etc/passwd", "vendor/../../README.md"],
)
def test_static_files_come_from_their_folder_only(client, name):
    assert client.get(f"/static/{name}").status_code in (404, 308)


@pytest.mark.parametrize(
    "query",
    [
        "?page=99999999999999999999",
        "?page=-1",
        "?page=x",
        "?page=" + "9" * 5000,
        "?q=%00",
        "?q=%ff",
        "?q=%27%22%3Cscript%3E",
        "?q=" + "x" * 50_000,
    ],
)
def test_odd_queries_of_the_list_are_answered(client, manager, query):
    manager.create_session()
    manager.send_message("hello")
    for headers in ({}, HTMX):
        answer = client.get("/sessions" + query, headers=headers)
        assert answer.status_code == 200
        assert "<script>" not in answer.text


@pytest.mark.parametrize(
    "query",
    [
        "?show=99999999999999999999",
        "?show=-5",
        "?show=x",
        "?before=x",
        "?before=%00",
        "?before=../x",
        "?show=1&before=",
    ],
)
def test_odd_queries_of_a_session_are_answered(client, manager, query):
    session_id = manager.create_session().session_id
    manager.send_message("hello")
    for headers in ({}, HTMX):
        assert client.get(f"/sessions/{session_id}{query}", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "", "../../etc/passwd", "/etc/passwd", "America", "x" * 5000, "a\x7fb", "é", "posixrules"]
)
def test_an_odd_time_zone_is_answered(client, manager, zone):
    manager.create_session()
    manager.send_message("hello")
    answer = client.get("/sessions", headers={"Cookie": f"webchat-timezone={zone}".encode().decode("latin-1")})
    assert answer.status_code == 200
    assert "hello" in answer.text
