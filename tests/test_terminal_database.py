"""The terminal's commands on a database that servers use: `webchat ask`, `chat` and `sessions --database`."""

from __future__ import annotations

import json

import httpx
import pytest
from click.testing import CliRunner

from tests.reading import until
from tests.scripted_server import says
from tests.terminals import JSON, MODEL, Terminal, last_messages, whole
from tests.terminals import gate as gate
from tests.terminals import model as model
from webchat.cli import main

pytest.importorskip("psycopg", reason="psycopg is not installed (webchat[postgres])")


@pytest.fixture
def beside(serve, database, model):
    """A client of a chat on the database."""
    server = serve(*MODEL, "--base-url", model.url, "--database", database)
    with httpx.Client(base_url=server.url, headers=JSON) as client:
        yield client


@pytest.fixture
def terminal(database, model, preloaded):
    """Commands on the same database."""
    terminal = Terminal(preloaded, ["--database", database], [*MODEL, "--base-url", model.url])
    yield terminal
    terminal.close()


def test_an_answer_comes_piece_by_piece_and_a_server_shows_it(terminal, model, beside, gate):
    model.script(whole("one ", gate, "two"))
    asking = terminal.start("ask", "count")
    asking.until("one ")
    until(lambda: last_messages(beside)[-1]["content"] == "one ")
    gate.set()
    code, output, _ = asking.end()
    assert (code, output) == (0, "one two\n")
    question, answer = last_messages(beside)
    assert (question["content"], answer["content"], answer["status"]) == ("count", "one two", "complete")


def test_sessions_are_those_of_every_server(database, beside):
    def run(command, *arguments, code=0):
        result = CliRunner().invoke(main, ["sessions", command, "--database", database, *arguments])
        assert result.exit_code == code, result.output
        return result.output

    first, second = (
        beside.post("/messages", data={"message": f"about {word}"}).json()["session_id"]
        for word in ("kettles", "teapots")
    )
    run("rename", first, "Pots")
    run("delete", second)
    rows = json.loads(run("list", "--json"))["sessions"]
    assert [(row["session_id"], row["description"]) for row in rows] == [(first, "Pots")]
    assert rows == beside.get("/sessions").json()["sessions"]
    run("restore", second)
    found = json.loads(run("search", "about", "teapots", "--json"))["sessions"]
    assert [row["session_id"] for row in found] == [second]
    assert "about kettles" in run("show", first)
    assert "nothing-begins-so" in run("show", "nothing-begins-so", code=3)


def test_a_chat_at_the_terminal_is_live_with_a_page(terminal, model, beside, gate):
    pytest.importorskip("prompt_toolkit")
    from tests.pseudo_terminal import Typing

    model.script(whole("The first kettle", gate, " was red."), says("From the page."))
    typing = Typing(terminal.typed("chat"))
    typing.until("Write a message")
    typing.says("tell me of kettles")
    typing.until("The first kettle")
    until(lambda: last_messages(beside)[-1]["content"] == "The first kettle")
    gate.set()
    typing.until("The first kettle was red.")
    until(lambda: last_messages(beside)[-1]["status"] == "complete")
    session_id = beside.get("/api/session").json()["session_id"]
    beside.post(f"/sessions/{session_id}/messages", data={"message": "and on the page?"})
    typing.until("› and on the page?", "From the page.")
    typing.types("\x04")
    assert typing.end() == 0
    typing.close()
