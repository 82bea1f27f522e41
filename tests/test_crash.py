"""The server is killed in the middle of answers: nothing that was shown is lost."""

from __future__ import annotations

import secrets
import socket
from contextlib import ExitStack

import httpx
import pytest
from bs4 import BeautifulSoup

from webchat.errors import InvalidInput
from webchat.serving.listening import listen

QUESTION = "tell " + " ".join(f"word-{number}" for number in range(400))
WHOLE = f"Mock response to: {QUESTION}"
SLOW = ("--backend", "mock", "--mock-delay", "0.05")
"""It takes 20 seconds to say `WHOLE`, which is longer than a busy machine keeps a test waiting."""


def messages(server, session_id):
    """What the session's page shows, as (role, status, text)."""
    soup = BeautifulSoup(httpx.get(f"{server.url}/sessions/{session_id}").raise_for_status().text, "html.parser")
    return [
        (article["data-role"], article["data-status"], article.select_one(".content").get_text(" ", strip=True))
        for article in soup.select("article.message")
    ]


def ask(server, message=QUESTION, session_id=None):
    """An open answer as plain text, as it arrives."""
    path = f"/sessions/{session_id}/messages" if session_id else "/messages"
    headers = {"Accept": "text/plain"}
    return httpx.stream("POST", server.url + path, data={"message": message}, headers=headers)


def read(answer, enough):
    """The text received once it has `enough` characters."""
    text = ""
    for piece in answer.iter_text():
        text += piece
        if len(text) >= enough:
            break
    return text


def test_after_a_kill_before_the_first_piece_the_question_is_there(serve):
    server = serve(*SLOW)
    with ask(server, "hi") as answer:
        session_id = answer.headers["X-Session-Id"]
        answer.read()
    accepted = httpx.post(f"{server.url}/sessions/{session_id}/messages", data={"message": QUESTION})
    assert accepted.status_code == 303
    server.kill()
    shown = messages(serve(), session_id)
    assert [role for role, _, _ in shown] == ["user", "assistant", "user", "assistant"]
    assert shown[2] == ("user", "complete", QUESTION)
    assert shown[3][1] == "interrupted"


def test_where_the_port_is_taken_another_is_used_and_said(serve):
    first = serve()
    port = first.url.rpartition(":")[2]
    second = serve("--backend", "mock", "--port", port)
    assert second.url != first.url
    said = "".join(second.output)
    assert f"Port {port} is taken; using {second.url.rpartition(':')[2]} instead." in said
    for server in (first, second):
        assert httpx.get(server.url).status_code == 200


def test_a_port_that_somebody_else_listens_on_is_left_to_them(serve):
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        port = theirs.getsockname()[1]
        server = serve("--backend", "mock", "--port", str(port))
        assert httpx.get(server.url).status_code == 200
        assert not server.url.endswith(f":{port}")


@pytest.mark.parametrize(
    ("first", "tries", "says"),
    [(65535, 50, "Port 65535 is taken. "), (65534, 50, "Ports 65534 to 65535 are all taken. ")],
)
def test_no_port_is_tried_after_the_last(first, tries, says):
    host = f"127.{1 + secrets.randbelow(250)}.{secrets.randbelow(250)}.1"  # where nobody else has these ports
    with ExitStack() as taken:
        for port in range(first, 65536):
            taken.enter_context(socket.create_server((host, port)))
        with pytest.raises(InvalidInput, match=f"^{says}Choose another with --port.$"):
            listen(host, first, tries)


def test_two_servers_on_one_folder_see_each_others_sessions_and_answers(serve):
    first, second = serve("--backend", "mock", "--mock-delay", "0.05"), serve()
    with ask(first) as answer:
        session_id = answer.headers["X-Session-Id"]
        seen = read(answer, 30)
        question, growing = messages(second, session_id)
        assert (question[2], growing[1]) == (QUESTION, "streaming")
        assert growing[2].startswith(seen.strip())
        url, script = f"{second.url}/sessions/{session_id}/messages", {"Accept": "application/json"}
        refused = httpx.post(url, data={"message": "me too"}, headers=script)
        assert refused.status_code == 409
        first.kill()
    assert messages(second, session_id)[1][1] == "interrupted"
    with ask(second, "me too", session_id) as answer:
        assert answer.read().decode() == "Mock response to: me too"
