"""axe, the accessibility checker, finds nothing to complain about in any state of any page, light or dark."""

from __future__ import annotations

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.past import sessions_from_before
from tests.scripted_server import delta, ended, refuses, says, sends
from tests.stored import documents_of
from webchat import config
from webchat.conventions import SERVER_DIR
from webchat.fileutil import DiskFolder, locked
from webchat.models import SMOLLM

pytestmark = pytest.mark.browser

RICH = """# A heading

Some text with `code`, **bold** and a [link](https://example.com/).

## Another

```python
def f(x):  # a comment
    return "text", 1 + x
```

| a | b |
|---|--:|
| 1 | 2 |

> A quotation

1. one
2. two
   - three
"""


def complaints(chat):
    """What axe finds in the current page, in both colour schemes."""
    found = []
    for scheme in ("light", "dark"):
        chat.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for violation in Axe().run(chat.page).response["violations"]:
            nodes = [f"{node['html'][:200]} {node['any'][:1]}" for node in violation["nodes"][:3]]
            found.append(f"{scheme}: {violation['impact']} {violation['id']}: {nodes}")
    return found


def test_the_chat_from_the_welcome_to_a_rich_answer(serve_model, model, visit, gates):
    model.script(sends(delta(reasoning_content="Let me think."), RICH, gates[0], "The end.", ended()))
    chat = visit(serve_model())
    assert complaints(chat) == []
    chat.ask("write")
    chat.streaming("three")
    assert complaints(chat) == []
    gates[0].set()
    chat.answered()
    chat.answers.last.hover()
    expect(chat.answers.last.get_by_role("button", name="Go on from here in a new session")).to_be_visible()
    assert complaints(chat) == []
    chat.questions.first.get_by_role("link", name="Edit").click()
    expect(chat.page.get_by_role("textbox", name="Your message")).to_be_visible()
    assert complaints(chat) == []


def test_answers_that_did_not_come_to_their_end(serve_model, model, visit, gates):
    model.script(refuses(500), sends("one two ", gates[0], ended()))
    chat = visit(serve_model())
    chat.ask("fail")
    chat.answered("failed")
    assert complaints(chat) == []
    chat.ask("stop")
    chat.streaming("one two")
    chat.stop_button.click()
    chat.answered("stopped")
    assert complaints(chat) == []


def test_what_opens_above_the_chat(serve_model, visit, home):
    sessions_from_before(home, "apples", "pears " * 60, "plums")
    chat = visit(serve_model())
    chat.open_sessions()
    expect(chat.rows).to_have_count(3)
    assert complaints(chat) == []
    chat.page.keyboard.press("Escape")
    chat.page.get_by_title("Model and system prompt of this session").click()
    expect(chat.page.get_by_role("dialog", name="This session")).to_be_visible()
    assert complaints(chat) == []
    chat.page.keyboard.press("Escape")
    chat.page.keyboard.press("Control+/")
    expect(chat.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    assert complaints(chat) == []


def test_the_pages_beside_the_chat(serve, visit, home):
    sessions_from_before(home, "remember that I like apples", "apples")
    chat = visit(serve())
    for path in ("/apps/settings/", "/sessions", "/sessions/unknown", "/nowhere"):
        chat.open(path)
        assert complaints(chat) == [], path


def test_a_session_before_and_while_it_is_answered(serve_model, model, visit, gates):
    chat = visit(serve_model())
    chat.page.request.post(f"{chat.base}/api/session", form={})
    chat.open()
    assert complaints(chat) == []
    chat.page.set_input_files("#files", [{"name": "notes.txt", "mimeType": "text/plain", "buffer": b"one\ntwo"}])
    assert complaints(chat) == []
    model.script(sends(gates[0], "one", ended()), says("two"))
    chat.ask("look at this")
    expect(chat.messages).to_have_count(2)
    assert complaints(chat) == []
    gates[0].set()
    chat.answered()
    chat.page.locator(".file summary").click()
    chat.page.get_by_role("button", name="Ask for another answer").click()
    expect(chat.page.locator(".siblings")).to_have_text("‹2 / 2")
    assert complaints(chat) == []


def test_what_was_cut_off_and_what_was_remembered(serve, visit, home):
    sessions_from_before(home, "remember that I like apples")
    transcript = next((home / SERVER_DIR / "web-chat-transcripts").glob("*.jsonl"))
    for record in (
        {"id": "q", "role": "user", "content": "مرحبا بالعالم"},
        {"id": "a", "role": "assistant", "content": "1. أولاً\n\n> ثانياً", "status": "interrupted"},
    ):
        with transcript.open("a") as file:
            file.write(json.dumps(record) + "\n")
    chat = visit(serve())
    expect(chat.page.get_by_text("Answer interrupted.")).to_be_visible()
    assert complaints(chat) == []


def test_when_the_server_is_gone(serve, visit):
    server = serve()
    chat = visit(server).ready()
    chat.asked("hello")
    server.kill()
    chat.ask("are you there?")
    expect(chat.problem).to_contain_text("did not answer")
    expect(chat.page.locator("#reconnecting")).to_be_visible()
    assert complaints(chat) == []


def test_the_dropdown_while_it_is_searched_and_tidied(serve, visit, home):
    sessions_from_before(home, "apples", "pears", "plums")
    chat = visit(serve())
    chat.open_sessions()
    chat.page.get_by_role("searchbox").fill("response pears")
    expect(chat.panel.locator("mark")).to_have_text("response")
    assert complaints(chat) == []
    chat.page.get_by_role("searchbox").fill("nothing like it")
    expect(chat.panel.get_by_text("Nothing found.")).to_be_visible()
    assert complaints(chat) == []
    chat.page.get_by_role("searchbox").fill("")
    expect(chat.rows).to_have_count(3)
    manage = chat.page.get_by_role("button", name="Rename, pin, archive or delete pears")
    manage.click()
    expect(chat.page.get_by_role("menuitem", name="Rename")).to_be_focused()
    assert complaints(chat) == []
    chat.page.get_by_role("menuitem", name="Rename").click()
    expect(chat.page.get_by_role("textbox", name="Title")).to_be_visible()
    assert complaints(chat) == []
    chat.page.get_by_role("link", name="Cancel").click()
    manage.click()
    chat.page.get_by_role("menuitem", name="Delete").click()
    expect(chat.page.get_by_role("button", name="Undo")).to_be_visible()
    assert complaints(chat) == []


def test_the_shelves_and_the_pages_of_one_session(serve, visit, home):
    sessions_from_before(home, "apples", "pears", "plums")
    chat = visit(serve())
    ids = [row["session_id"] for row in chat.page.request.get(f"{chat.base}/api/sessions").json()["sessions"]]
    chat.page.request.post(f"{chat.base}/sessions/archive", form={"id": ids[0]})
    chat.page.request.post(f"{chat.base}/sessions/delete", form={"id": ids[1]})
    question = chat.page.request.get(f"{chat.base}/sessions/{ids[2]}", headers={"Accept": "application/json"})
    message = question.json()["messages"][0]["id"]
    paths = ["/sessions?show=archived", "/sessions?show=trash", f"/sessions?deleted={ids[1]}", "/sessions?q=response"]
    for path in (*paths, f"/sessions/{ids[2]}/manage", f"/sessions/{ids[2]}/messages/{message}/edit"):
        chat.open(path)
        assert complaints(chat) == [], path
    chat.open("/sessions")
    chat.page.set_input_files("input[type=file]", [{"name": "x.jsonl", "mimeType": "text/plain", "buffer": b"{"}])
    chat.page.get_by_role("button", name="Import", exact=True).click()
    expect(chat.page.get_by_role("heading", name="Could not be read")).to_be_visible()
    assert complaints(chat) == []


def test_the_settings_while_they_are_changed(serve, model, visit, home, tmp_path, monkeypatch):
    monkeypatch.setenv("WEBCHAT_MODELS", str(tmp_path))
    (tmp_path / f"{SMOLLM.file_name}.part").write_bytes(b"x" * (SMOLLM.bytes // 100))
    config.save(documents_of(home), {"backend": "openai", "base_url": model.url, "api_key": "sk-x"})
    chat = visit(serve("--theme", "system"), "/apps/settings/")
    chat.page.request.post(f"{chat.base}/api/session", form={})
    for text in ("tea is green", "coffee is black"):
        chat.page.request.post(f"{chat.base}/api/chat", form={"message": f"remember this: {text}"})
    chat.open("/apps/settings/?saved=")
    chat.page.get_by_role("button", name="Test connection").click()
    expect(chat.page.locator("#connection")).to_contain_text("It works.")
    chat.page.get_by_role("button", name="Delete mem-001").click()
    expect(chat.page.get_by_role("button", name="Undo mem-001")).to_be_visible()
    chat.page.locator("#onDisk summary").first.click()
    assert complaints(chat) == []
    with locked(DiskFolder(tmp_path), SMOLLM.file_name):  # another process downloads it
        chat.page.reload()
        expect(chat.page.get_by_role("progressbar")).to_be_visible()
        assert complaints(chat) == []
    model.models_answer = refuses(401)
    chat.page.get_by_role("button", name="Test connection").click()
    expect(chat.page.locator("#connection .problem")).to_be_visible()
    assert complaints(chat) == []


def test_the_sign_in(serve, visit):
    chat = visit(serve("--backend", "mock", "--token", "a-token-of-some-length"))
    assert complaints(chat) == []
    chat.page.get_by_label("Token").fill("another")
    chat.page.get_by_role("button", name="Sign in").click()
    expect(chat.page.get_by_role("alert")).to_be_visible()
    assert complaints(chat) == []
    chat.page.get_by_label("Token").fill("a-token-of-some-length")
    chat.page.get_by_role("button", name="Sign in").click()
    chat.open("/apps/settings/")
    expect(chat.page.get_by_role("button", name="Sign out")).to_be_visible()
    assert complaints(chat) == []
