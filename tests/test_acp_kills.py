"""The server is killed in the middle of an agent's turn: what the agent had sent is in the transcript."""

from __future__ import annotations

import json
import random
import shlex
import time

import httpx
import pytest
from bs4 import BeautifulSoup

from tests.acp import agents_in
from tests.reading import until

pytestmark = pytest.mark.timeout(600)  # a busy machine may take ten seconds for each start of a server
JSON = {"Accept": "application/json"}
WORK = (0.3, 2.5)
"""Minimum and maximum seconds that an agent works before the kill."""


@pytest.fixture
def start(serve, tmp_path):
    """Starts a server over the scripted agent; returns it and the agent's folder."""
    with agents_in(tmp_path) as agents:
        yield lambda: (serve("--backend", "acp", "--agent", shlex.join(agents.command())), agents.folder)


def begin(server, message: str) -> str:
    """Sends this message in a new session; returns the session's address."""
    accepted = httpx.post(f"{server.url}/messages", data={"message": message})
    return "/sessions/" + accepted.headers["Location"].partition("/sessions/")[2].partition("#")[0]


def answer(server, session: str) -> dict:
    return httpx.get(f"{server.url}{session}", headers=JSON).json()["messages"][-1]


def named(parts: list[dict]) -> list[str]:
    """The numbers of the sent pieces that the parts contain."""
    words = [word for part in parts for word in part.get("text", "").split()]
    return words + [part["id"] for part in parts if part["type"] == "tool_call"]


def test_whatever_the_moment_an_agents_parts_are_kept(start, pytestconfig):
    lateness = pytestconfig.getoption("lateness")
    server, folder = start()
    for _ in range(pytestconfig.getoption("kills") // 3):
        (folder / "paced.jsonl").unlink(missing_ok=True)
        session = begin(server, "paced")
        until(lambda: (folder / "paced.jsonl").exists())
        time.sleep(random.uniform(*WORK))  # the time of the kill, for which there is no event to wait
        server.kill()
        killed_at = time.monotonic()
        server, _ = start()
        left = answer(server, session)
        sent = [json.loads(line) for line in (folder / "paced.jsonl").read_text().splitlines()]
        sent_by_then = [name for name, moment in sent if moment < killed_at - lateness]
        assert left["status"] == "interrupted"
        assert set(sent_by_then) <= set(named(left["parts"]))
        assert {part["status"] for part in left["parts"] if part["type"] == "tool_call"} <= {"done", "failed"}


def test_a_question_that_a_killed_server_left_has_no_buttons(start):
    server, _ = start()
    session = begin(server, "ask")
    until(lambda: [part for part in answer(server, session)["parts"] if part["type"] == "permission"])
    server.kill()
    server, _ = start()
    for _ in ("as it was left", "once the next message has been answered"):
        page = BeautifulSoup(httpx.get(f"{server.url}{session}").text, "html.parser")
        article = page.select('article[data-role="assistant"]')[0]
        assert article["data-status"] == "interrupted"
        assert "Run make" in article.get_text()
        assert page.select("form.question, .question button") == []
        assert "Waiting for you" not in page.get_text()
        httpx.post(f"{server.url}{session}/messages", data={"message": "And now?"}, headers={"Accept": "text/plain"})
