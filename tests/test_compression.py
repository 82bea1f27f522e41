"""Responses are compressed on request, with headers that a cache can trust; streams are never delayed."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from flask import Flask

from tests.conftest import HTMX
from tests.scripted import ScriptedBackend
from webchat import WebChatSessionManager, create_blueprint

GZIP = {"Accept-Encoding": "gzip"}
STATIC = Path(__file__).parents[1] / "static"
FIRST_PAGE, FIRST_REQUESTS = 40 * 1024, 6


@pytest.fixture
def style_sheet(client) -> str:
    return linked(client)[1]


def linked(client) -> list[str]:
    """The addresses that the first page loads."""
    found = re.findall(r'(?:<link [^>]*href|<script [^>]*src)="([^"]+)"', client.get("/").text)
    return [address.replace("&amp;", "&") for address in found]


def test_the_first_page_is_small_as_it_is_sent(client):
    answers = [client.get(path, headers=GZIP) for path in ["/", *linked(client)]]
    assert len(answers) + 1 <= FIRST_REQUESTS, "with the page's stream"
    assert sum(len(answer.data) for answer in answers) <= FIRST_PAGE


def test_what_is_compressed_says_so_and_is_the_same(client, style_sheet):
    for path in ("/", style_sheet):
        plain, packed = client.get(path), client.get(path, headers=GZIP)
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 2
        assert without_keys(gzip.decompress(packed.data)) == without_keys(plain.data)
        for answer in (plain, packed):
            assert "Accept-Encoding" in answer.vary


def test_a_compressed_script_is_without_its_comments_and_otherwise_the_same(client):
    scripts = [path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.js")]
    assert {"chat.js", "commands.js", "files.js"} < {*scripts}
    for script in scripts:
        plain, packed = (client.get(f"/static/{script}", headers=headers).get_data() for headers in ({}, GZIP))
        lines = [line for line in plain.splitlines() if not line.strip().startswith(b"//")]
        assert gzip.decompress(packed).splitlines() == lines
        # Within a text that spans lines, such a line would be no comment.
        assert all(line.count(b"`") % 2 == 0 for line in lines)


def without_keys(body: bytes) -> bytes:
    return re.sub(rb'name="key" value="\w+"', b"", body)


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("*", True),
        ("gzip;q=0.5, identity;q=0.5", True),
        ("", False),
        ("br", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("gzip;q=0.3, identity;q=0.9", False),
    ],
)
def test_it_is_what_the_client_prefers(client, style_sheet, accepted, is_packed):
    for path in ("/", style_sheet):
        answer = client.get(path, headers={"Accept-Encoding": accepted})
        assert (answer.headers.get("Content-Encoding") == "gzip") is is_packed


def test_each_form_of_a_static_file_has_its_own_tag_and_is_not_sent_twice(client, style_sheet):
    plain, packed = client.get(style_sheet), client.get(style_sheet, headers=GZIP)
    assert plain.headers["ETag"] != packed.headers["ETag"]
    for answer, headers in ((plain, {}), (packed, GZIP)):
        again = client.get(style_sheet, headers={"If-None-Match": answer.headers["ETag"], **headers})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
        assert "Accept-Encoding" in again.vary
    other = client.get(style_sheet, headers={"If-None-Match": packed.headers["ETag"]})
    assert other.status_code == 200


def test_the_head_is_that_of_the_whole(client, style_sheet):
    whole, head = client.get(style_sheet, headers=GZIP), client.head(style_sheet, headers=GZIP)
    assert head.data == b""
    for name in ("ETag", "Content-Encoding", "Content-Length", "Cache-Control"):
        assert head.headers[name] == whole.headers[name]


def test_a_part_of_a_file_is_one_of_what_it_is_uncompressed(client, style_sheet):
    part = client.get(style_sheet, headers={"Range": "bytes=10-19", **GZIP})
    assert part.status_code == 206
    assert part.data == client.get(style_sheet).data[10:20]
    assert "Content-Encoding" not in part.headers


def test_a_page_that_another_site_asks_for_is_not_compressed(client):
    for site, is_packed in (("cross-site", False), ("same-site", False), ("same-origin", True), ("none", True)):
        answer = client.get("/", headers={"Sec-Fetch-Site": site, **GZIP})
        assert ("Content-Encoding" in answer.headers) is is_packed, site


def test_streams_and_small_answers_are_sent_as_they_are(client, manager, backend):
    session_id = manager.create_session().session_id
    long = "word " * 1000
    backend.plays(long)
    backend.plays(long)
    sent = {"data": {"message": "hello"}}
    for headers in (HTMX, {"Accept": "text/event-stream"}):
        answer = client.post(f"/sessions/{session_id}/messages", headers={**headers, **GZIP}, **sent)
        assert "Content-Encoding" not in answer.headers
        assert "word word" in answer.text
    with client.get(f"/events?session={session_id}", headers=GZIP, buffered=False) as stream:
        assert "Content-Encoding" not in stream.headers
        assert next(stream.iter_encoded()) == b": open\n\n"
    small = client.post("/api/session", json={}, headers=GZIP)
    assert "Content-Encoding" not in small.headers
    assert json.loads(small.data)


def test_it_works_in_another_application_too(tmp_path):
    host = Flask("host")
    manager = WebChatSessionManager(ScriptedBackend(), str(tmp_path / "sessions.json"))
    host.register_blueprint(create_blueprint(manager, settings_url=""), url_prefix="/chat")
    host.get("/own")(lambda: "own " * 1000)
    client = host.test_client()
    page = client.get("/chat/", headers=GZIP)
    assert page.headers["Content-Encoding"] == "gzip"
    style_sheet = re.search(r'href="(/chat/static/app\.css[^"]*)"', gzip.decompress(page.data).decode())[1]
    assert client.get(style_sheet, headers=GZIP).headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in client.get("/own", headers=GZIP).headers
