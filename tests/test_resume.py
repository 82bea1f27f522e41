"""A past session is resumed: its transcript on the page, its context in the backend."""

from __future__ import annotations

from tests.conftest import HTMX
from webchat.backends import SessionOptions
from webchat.replies.attached import AttachedBackend


def test_resume_brings_the_conversation_back(client, page):
    client.post("/messages", data={"message": "my name is Ada"})
    client.post("/messages", data={"message": "something else"})
    first = next(row for row in page("/sessions").rows if row.title == "my name is Ada")
    chat = page(client.post(first.resume_url, follow_redirects=True))
    assert chat.messages[0].text == "my name is Ada"
    assert chat.badge.endswith(first.short_id)


def test_resume_gives_the_backend_the_history(client, backend, manager):
    first = manager.create_session().session_id
    manager.send_message("my name is Ada")
    manager.create_session()
    backend.histories.clear()
    client.post(f"/sessions/{first}/resume")
    assert [(item["role"], item["content"]) for item in backend.histories[-1]] == [
        ("user", "my name is Ada"),
        ("assistant", "You said: my name is Ada"),
    ]


def test_a_refused_resume_changes_nothing(client, page, backend, manager):
    first = manager.create_session().session_id
    manager.send_message("hello")
    second = manager.create_session().session_id
    backend.fail["resume_session"] = RuntimeError("secret detail")
    answer = client.post(f"/sessions/{first}/resume")
    assert answer.status_code == 503
    assert "secret detail" not in answer.text
    assert manager.active_session_id == second


def test_resume_swaps_chat_list_badge_title_and_address_at_once(client, manager):
    first = manager.create_session().session_id
    manager.send_message("hello")
    manager.create_session()
    answer = client.post(f"/sessions/{first}/resume", headers=HTMX)
    assert answer.headers["HX-Push-Url"] == f"/sessions/{first}"
    for part in ('id="chatArea"', 'id="badge"', 'id="sessionList"', "<title>hello · Amplifier</title>"):
        assert part in answer.text
    assert f"Resumed session {first[:8]}" in answer.text


def test_a_backend_is_told_again_of_a_session_that_was_long_unused(backend):
    """The memory of resumed sessions is bounded; beyond that, a session is resumed with its history."""
    attached = AttachedBackend(backend, known_sessions=2)
    ids = [attached.create("~", "").session_id for _ in range(3)]
    past = [{"id": "q", "role": "user", "content": "hello"}]
    for session_id in ids:
        attached.take_up(session_id, past)
    backend.histories.clear()
    list(attached.ask(ids[2], "again", past, SessionOptions(), again=False))
    assert backend.histories == []
    list(attached.ask(ids[0], "again", past, SessionOptions(), again=False))
    assert [item["content"] for item in backend.histories[-1]] == ["hello"]
