"""An overloaded server: accepted messages are not lost, refusals are reported, and pages respond."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from tests.reading import until
from webchat.cli import main
from webchat.conventions import SERVER_DIR, WEB_CHAT_TRANSCRIPTS_DIR
from webchat.errors import InvalidInput
from webchat.serving.listening import listen

POSTS_A_SECOND = 100
PAUSE = 0.2
"""Seconds between two requests of the pages meanwhile."""
HANDS = 40
"""Connections that post at once."""
SHARED = 10
"""Sessions that every second post goes to; the others begin one each."""
QUICK = ("--backend", "mock", "--mock-delay", "0")


class Poster:
    """Posts messages at a pace to servers in turn and notes what became of each."""

    def __init__(self, servers, sessions):
        self._servers, self._sessions = servers, sessions
        self._begun = time.monotonic()
        self._clients = threading.local()
        self.status = {}

    def post(self, number):
        time.sleep(max(0.0, self._begun + number / POSTS_A_SECOND - time.monotonic()))
        server = self._servers[number % len(self._servers)]
        shared = self._sessions[number // 2 % len(self._sessions)]
        path = f"/sessions/{shared}/messages" if number % 2 else "/messages"
        if not hasattr(self._clients, "it"):
            self._clients.it = httpx.Client(timeout=60)
        answer = self._clients.it.post(server.url + path, data={"message": f"post {number}"})
        self.status[number] = answer.status_code
        assert answer.status_code in (303, 409, 429, 503)
        assert answer.status_code == 303 or clear(answer.text)
        assert answer.status_code not in (429, 503) or int(answer.headers["Retry-After"])


def clear(text):
    sentences = ("Still answering.", "Try again in a few seconds.", "then send again", "which is the limit")
    return any(sentence in text for sentence in sentences)


def asked_in(home: Path) -> Counter[str]:
    """How often each question is in a transcript."""
    found: Counter[str] = Counter()
    for path in (home / SERVER_DIR / WEB_CHAT_TRANSCRIPTS_DIR).glob("*.jsonl"):
        records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        found.update(record["content"] for record in records if record.get("role") == "user")
    return found


@pytest.mark.parametrize("count", [1, 2])
def test_of_many_posts_none_that_was_accepted_is_lost_and_pages_answer(serve, home, pytestconfig, count):
    servers = [serve(*QUICK) for _ in range(count)]
    sessions = [httpx.post(f"{servers[0].url}/api/session").json()["session_id"] for _ in range(SHARED)]
    posts = int(POSTS_A_SECOND * pytestconfig.getoption("flood") / count)
    poster, over, seen = Poster(servers, sessions), threading.Event(), []

    def look():
        with httpx.Client(timeout=60) as client:
            while not over.wait(PAUSE):
                for path in ("/", "/sessions", f"/sessions/{sessions[0]}", "/sessions?q=post", "/apps/settings/"):
                    seen.append(client.get(servers[-1].url + path).status_code)

    looking = threading.Thread(target=look)
    looking.start()
    with ThreadPoolExecutor(HANDS) as hands:
        list(hands.map(poster.post, range(posts)))
    over.set()
    looking.join()
    assert len(poster.status) == posts
    assert seen
    assert set(seen) == {200}
    accepted = {f"post {number}" for number, status in poster.status.items() if status == 303}
    until(lambda: asked_in(home).total() >= len(accepted))  # messages to a busy session wait for their turn
    assert asked_in(home) == Counter(accepted)
    assert len(accepted) >= posts / 2 - SHARED  # messages that start a session are refused only by the limits
    until(lambda: no_reply_is_left(home))  # an answer's end changes the list
    listed = [httpx.get(f"{server.url}/api/sessions").json()["sessions"] for server in servers]
    assert listed[0] == listed[-1]
    begun = {f"post {number}" for number in range(0, posts, 2) if poster.status[number] == 303}
    assert {row["description"] for row in listed[0]} >= begun


def no_reply_is_left(home):
    return not [*(home / SERVER_DIR / WEB_CHAT_TRANSCRIPTS_DIR / "replies").glob("*.reply")]


def test_with_more_streams_than_the_cap_pages_poll_and_everything_answers(serve):
    server = serve(*QUICK, "--max-streams", "3")
    with httpx.Client(base_url=server.url, timeout=60, limits=httpx.Limits(max_connections=None)) as client:
        session_id = client.post("/api/session").json()["session_id"]
        events = f"/events?session={session_id}"
        with ExitStack() as stack:
            # Kept: an iterator without references closes its connection.
            streams = [stack.enter_context(client.stream("GET", events)).iter_text() for _ in range(3)]
            assert all(next(stream).startswith(": open") for stream in streams)
            with ThreadPoolExecutor(HANDS) as hands:  # more than the server has threads
                told = list(hands.map(client.get, [events] * 60))
                pages = list(hands.map(client.get, ["/"] * 60))
            assert all(answer.text.startswith("retry: 5000\n") for answer in told)
            assert {page.status_code for page in pages} == {200}
            assert client.post(f"/sessions/{session_id}/messages", data={"message": "hello"}).status_code == 303
            # Pages take no place from clients that wait for an answer.
            waits = client.post("/messages", data={"message": "me too"}, headers={"Accept": "text/plain"})
            assert (waits.status_code, waits.text) == (200, "Mock response to: me too")
        until(lambda: client.post("/api/chat", json={"message": "now"}).status_code == 200)


def test_where_no_port_is_free_it_says_so():
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        port = theirs.getsockname()[1]
        with pytest.raises(InvalidInput, match=f"^Port {port} is taken. Choose another with --port."):
            listen("127.0.0.1", port, tries=1)


def test_an_address_that_is_not_this_machines_is_told_so(home):
    options = ["--backend", "mock", "--home", str(home), "--host", "192.0.2.7", "--token", "auto"]
    told = CliRunner().invoke(main, ["serve", *options])
    assert told.exit_code == 1
    assert "Cannot listen on 192.0.2.7: Cannot assign requested address." in told.output
