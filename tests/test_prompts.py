"""Saved prompts: plain files, sent by their names."""

from __future__ import annotations

import threading

import pytest

from tests.reading import until
from webchat.prompts import Prompts

JSON = {"Accept": "application/json"}


@pytest.fixture
def folder(home):
    folder = home / "prompts"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sent(client, page, message):
    """The stored text of a first message."""
    return page(client.post("/messages", data={"message": message}, follow_redirects=True)).messages[0].text


def test_a_prompt_is_sent_by_its_name(client, page, folder):
    (folder / "haiku.md").write_text("# A haiku\n\nWrite a haiku.\n")
    assert sent(client, page, "/haiku") == "# A haiku\n\nWrite a haiku."


@pytest.mark.parametrize(
    ("text", "message", "becomes"),
    [
        ("Translate.", "/tell good day", "Translate.\n\ngood day"),
        ("Translate {{input}} to French.", "/tell good day", "Translate good day to French."),
        ("Translate {{input}} to French.", "/tell", "Translate  to French."),
        ("{{input}}? {{input}}!", " /tell  so\n ", "so? so!"),
        ("Translate.", "/tell one\ntwo", "Translate.\n\none\ntwo"),
        ("Translate.", "/tell\none", "Translate.\n\none"),
        ("Translate.", "/teller good day", "/teller good day"),
        ("Translate.", "/tell/me", "/tell/me"),
        ("Translate.", "please /tell me", "please /tell me"),
        ("", "/tell me", "/tell me"),
    ],
)
def test_what_follows_the_name_goes_into_it_or_behind_it(folder, text, message, becomes):
    (folder / "tell.md").write_text(text)
    assert Prompts(folder).expanded(message)[0] == becomes


def test_a_changed_file_counts_at_once(client, page, folder):
    for text in ("One.", "Another."):
        (folder / "tell.md").write_text(text)
        assert sent(client, page, "/tell") == text


def test_what_is_sent_later_and_by_scripts_is_expanded_too(client, page, folder, manager, backend):
    (folder / "tell.md").write_text("Translate {{input}}.")
    session_id = manager.create_session().session_id
    client.post(f"/sessions/{session_id}/messages", data={"message": "/tell this"})
    until(lambda: not manager.answers_in_flight)
    client.post("/api/chat", json={"message": "/tell that", "session_id": session_id})
    asked = [message.content for message in manager.conversation(session_id).messages if message.role == "user"]
    assert asked == ["Translate this.", "Translate that."]


def test_they_are_listed_for_scripts_and_on_the_page(client, page, folder):
    assert client.get("/api/prompts").json == {"prompts": []}
    assert not page("/").soup.select("#commands")
    (folder / "tell.md").write_text("# Translate\n\n{{input}}")
    (folder / "ask.md").write_text("Ask <b>")
    (folder / "empty.md").write_text(" \n")
    (folder / "notes.txt").write_text("no prompt")
    (folder / "a b.md").write_text("no name")
    (folder / "link.md").symlink_to(folder / "tell.md")
    assert [item["name"] for item in client.get("/api/prompts").json["prompts"]] == ["ask", "tell"]
    listed = page("/").soup.select("#commands dl > div")
    assert [(row.dt.get_text(), row.dd.get_text()) for row in listed] == [("/ask", "Ask <b>"), ("/tell", "Translate")]


@pytest.mark.parametrize("message", ["/link x", "/../secret x", "/a b", "/nobody"])
def test_what_is_no_prompt_is_sent_as_it_is(folder, message):
    (folder.parent / "secret.md").write_text("secret")
    (folder / "link.md").symlink_to(folder.parent / "secret.md")
    assert Prompts(folder).expanded(message) == (message, None)


def test_an_agents_own_command_of_that_name_goes_to_the_agent(client, page, folder, manager, monkeypatch):
    (folder / "review.md").write_text("Look at everything.")
    session_id = manager.create_session().session_id
    known = {"review": "Review the changes"}
    monkeypatch.setattr(type(manager.agents), "commands", lambda self, session_id: known)
    client.post(f"/sessions/{session_id}/messages", data={"message": "/review all"})
    assert manager.conversation(session_id).messages[0].content == "/review all"
    listed = page(f"/sessions/{session_id}").soup.select("#commands dl > div")
    assert [row.dd.get_text() for row in listed] == ["Review the changes"]


def test_it_is_sent_by_its_name_in_an_edited_message_and_in_one_that_waits(client, folder, manager, backend):
    (folder / "review.md").write_text("Review {{input}} closely.")
    gate = threading.Event()
    backend.plays("first", gate)
    posted = manager.start_conversation("hi")
    session_id = posted.session.session_id
    waits = manager.queue.send(session_id, "next", key="k")
    changed = client.post(f"/sessions/{session_id}/queue/{waits.key}", data={"message": "/review a"}, headers=JSON)
    assert changed.json["text"] == "Review a closely."
    gate.set()
    until(lambda: len(manager.conversation(session_id).messages) == 4 and not manager.answers_in_flight)
    question = manager.conversation(session_id).messages[2]
    edit = f"/sessions/{session_id}/messages/{question.id}/edit"
    assert client.post(edit, data={"message": "/review b"}, headers=JSON).status_code == 200
    assert manager.conversation(session_id).messages[2].content == "Review b closely."
    mine = f"/sessions/{session_id}/messages/{manager.conversation(session_id).last.id}/edit"
    assert client.post(mine, data={"message": "/review c"}, headers=JSON).json["content"] == "/review c"
