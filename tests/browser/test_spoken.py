"""What a screen reader announces besides the focus: one live region, each message once."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.past import sessions_from_before
from tests.scripted_server import refuses

pytestmark = pytest.mark.browser

LIVE = "[role=status], [role=alert], [aria-live=polite], [aria-live=assertive]"
LISTEN = """() => {
  window.said = [];
  const announcer = document.getElementById("announcer");
  new MutationObserver(() => window.said.push(announcer.textContent.trim())).observe(announcer, {childList: true});
}"""


def said(chat, words: str) -> None:
    chat.until(f"window.said.some((text) => text.includes({words!r}))")


def test_a_failure_is_told_in_its_own_words(serve_model, model, visit):
    model.script(refuses(401))
    chat = visit(serve_model())
    chat.page.evaluate(LISTEN)
    chat.ask("hello")
    chat.answered("failed")
    said(chat, "requires a key, and none is set")
    expect(chat.page.locator(LIVE)).to_have_count(1)


def test_an_answer_that_is_there_at_once_is_told_and_one_from_before_is_not(serve, visit, home):
    sessions_from_before(home, "apples", "pears")
    chat = visit(serve("--backend", "mock", "--mock-delay", "0"))
    chat.page.evaluate(LISTEN)
    chat.open_sessions()
    chat.rows.filter(has_text="apples").click()
    said(chat, "Resumed session")
    chat.asked("plums")
    said(chat, "Answer finished")
    assert [text for text in chat.page.evaluate("window.said") if text.startswith("Answer f")] == ["Answer finished"]


def test_notes_that_come_onto_the_page_are_told(serve, visit, home):
    sessions_from_before(home, "apples", "pears")
    chat = visit(serve())
    chat.page.evaluate(LISTEN)
    chat.open_sessions()
    chat.rows.filter(has_text="apples").click()
    said(chat, "Resumed session")
    chat.page.set_input_files("#files", [{"name": "notes.txt", "mimeType": "text/plain", "buffer": b"x"}])
    said(chat, "notes.txt")
    chat.open_sessions()
    chat.page.get_by_role("button", name="Rename, pin, archive or delete pears").click()
    chat.page.get_by_role("menuitem", name="Delete").click()
    said(chat, "Session deleted.")


@pytest.mark.parametrize("path", ["/", "/sessions", "/sessions?show=trash", "/apps/settings/?saved="])
def test_every_page_has_one_live_region(serve, visit, home, path):
    sessions_from_before(home, "apples")
    expect(visit(serve(), path).page.locator(LIVE)).to_have_count(1)


def test_what_was_saved_and_found_is_told(serve, model, visit):
    chat = visit(serve("--base-url", model.url), "/apps/settings/")
    chat.page.evaluate(LISTEN)
    chat.page.get_by_label("Who answers").select_option("openai")
    chat.page.get_by_role("button", name="Test connection").click()
    said(chat, "It works. 1 model: scripted-model.")
    chat.page.get_by_role("button", name="Save", exact=True).last.click()
    expect(chat.page.locator(LIVE)).to_contain_text("Saved. The next message will be answered by")
