"""The examples in the README and on the page about files work as shown."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import shutil
import subprocess
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

import pytest
from flask import Flask

from webchat import create_app, create_blueprint

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_embedding_example_answers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = re.search(r"<!-- embedding -->\n```python\n(.*?)```", README, re.DOTALL)[1]
    names = {"__name__": "example"}
    exec(code, names)
    client = names["app"].test_client()
    answer = client.post("/chat/messages", data={"message": "hello"}, headers={"Accept": "text/plain"})
    assert answer.text == "You said: hello"
    assert "You said: hello" in client.get("/chat/").text
    assert (tmp_path / "chat" / "web-chat-sessions.json").exists()


def test_the_example_with_a_sign_in_lets_in_who_is_signed_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "embedding.md").read_text("utf-8")
    app = Flask("host")
    app.secret_key = "not a secret"
    exec(re.search(r"<!-- signing in -->\n```python\n(.*?)```", page, re.DOTALL)[1], {"app": app})
    ada, bob, stranger = (app.test_client() for _ in range(3))
    for client, name in ((ada, "Ada"), (bob, "Bob")):
        with client.session_transaction() as session:
            session["user"] = name
    told = {"data": {"message": "hello"}, "headers": {"Accept": "text/plain"}}
    assert ada.post("/chat/messages", **told).text == "Ada, you said: hello"
    assert "hello" in ada.get("/chat/").text
    assert "hello" not in bob.get("/chat/").text
    assert stranger.post("/chat/messages", **told).location == "/sign-in"


def test_the_example_with_all_options_answers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "embedding.md").read_text("utf-8")
    code = re.search(r"<!-- options -->\n```python\n(.*?)```", page, re.DOTALL)[1]
    shown = set(re.findall(r"^    (\w+)=", code.partition("create_blueprint(")[2], re.MULTILINE))
    assert shown == {*inspect.signature(create_blueprint).parameters} - {"manager"}
    names = {"my_agent": lambda messages: "hello"}
    exec(code, names)
    app = Flask("host")
    app.register_blueprint(names["chat"], url_prefix="/chat")
    client = app.test_client()
    assert client.post("/chat/messages", data={"message": "hi"}, headers={"Accept": "text/plain"}).text == "hello"
    page = client.get("/chat/").text
    assert all(text in page for text in ("Assistant", "The shop&#39;s assistant"))
    told = client.post("/chat/messages", data={"message": "remember: tea"}, headers={"Accept": "text/plain"})
    assert "hello" not in told.text


def test_the_example_with_a_tool_call_answers():
    page = (ROOT / "docs" / "backends.md").read_text("utf-8")
    names = {}
    exec(re.search(r"<!-- parts -->\n```python\n(.*?)```", page, re.DOTALL)[1], names)
    backend = names["backend"]
    begun, done, text = backend.send_message(backend.create_session("~", "").session_id, "count")
    assert (begun.id, begun.is_open, done.status) == (done.id, True, "done")
    assert text == "Your notes have 14 words."


@pytest.mark.parametrize(("choice", "said"), [("yes", "Deleted."), ("no", "Kept.")])
def test_the_example_with_a_question_is_answered(choice, said):
    page = (ROOT / "docs" / "backends.md").read_text("utf-8")
    names = {}
    exec(re.search(r"<!-- question -->\n```python\n(.*?)```", page, re.DOTALL)[1], names)
    backend = names["backend"]
    session_id = backend.create_session("~", "").session_id
    pieces = iter(backend.send_message(session_id, "clean up"))
    assert next(pieces).is_open
    backend.answer_permission(session_id, "ask-1", choice)
    assert list(pieces) == [said]


def test_the_pages_that_it_links_to_exist():
    for target in re.findall(r"(?:\]\(|src(?:set)?=\")(docs/[^)#\"]+)", README):
        assert (Path(__file__).parent.parent / target).exists(), target


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=attrgetter("name"))
def test_no_form_in_an_example_changes_the_text_that_it_sends(page):
    """In a form "+" is a blank, "&" begins another field, and "%" two digits of a character."""
    for quoted, plain in re.findall(r"curl\b.*? -d \w+=(?:'([^']*)'|([^ '\"]+))", page.read_text("utf-8")):
        assert not set("+&%") & set(quoted or plain), quoted or plain


def test_the_examples_for_scripts_work_in_their_order(home):
    settings = {"AMPLIFIER_HOME": str(home), "WEBCHAT_BACKEND": "mock", "WEBCHAT_MOCK_DELAY": "0"}
    app = create_app({**settings, "TESTING": True})
    client, answers = app.test_client(), []
    part = README.partition("## From scripts")[2].partition("\n## ")[0]
    for command in re.findall(r"^    (curl .*?)(?: +#.*)?$", part, re.MULTILINE):
        words = shlex.split(command)
        after = dict(pairwise(words))
        accept = after["-H"].partition(": ")[2] if "-H" in after else "*/*"
        sent = after.get("-d") or after.get("--data-urlencode")
        fields = {"data": dict([sent.partition("=")[::2]])} if sent else {}
        path = words[-1].removeprefix("localhost:8000")
        answer = client.open(path, method="POST" if sent else "GET", headers={"Accept": accept}, **fields)
        answers.append(answer.text)
        assert answer.status_code == 200, command
    assert answers[0] == "Mock response to: hello"
    assert "Mock response to: What is 12 + 30?" in answers[2]


@pytest.mark.skipif(not shutil.which("jq") and not os.environ.get("CI"), reason="jq is not installed")
def test_the_files_are_read_as_the_page_on_them_shows(tmp_path):
    """Including a transcript with a damaged line."""
    home = tmp_path / ".local" / "share" / "webchat"
    app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_BACKEND": "mock", "TESTING": True})
    session_id = app.extensions["webchat"].start_conversation("a word").session.session_id
    app.extensions["webchat"].close(grace=10)
    with (home / f"server/web-chat-transcripts/{session_id}.jsonl").open("a") as transcript:
        transcript.write("damaged\n")
    page = (ROOT / "docs" / "files.md").read_text("utf-8")
    commands = "\n".join(re.findall(r"^    ((?:cd|jq|grep) .*)", page, re.MULTILINE))
    commands = commands.replace("ID.jsonl", f"{session_id}.jsonl")
    shell = ["bash", "-eu", "-o", "pipefail", "-c", commands]
    done = subprocess.run(shell, env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert f"{session_id}  a word" in done.stdout
    assert "user: a word\nassistant: Mock response to: a word" in done.stdout
    assert done.stdout.endswith(f"web-chat-transcripts/{session_id}.jsonl\n")
