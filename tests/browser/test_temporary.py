"""A temporary chat leaves nothing in the browser, and says clearly what it is."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

MARK = "xylophone"
STORED = "() => JSON.stringify([{...localStorage}, {...sessionStorage}])"


@pytest.fixture
def chat(serve, visit):
    chat = visit(serve("--backend", "mock", "--mock-delay", "0"))
    chat.open_sessions()
    chat.page.locator("#sessionsPanel").get_by_role("button", name="Temporary").click()
    expect(chat.page.locator(".note.temporary")).to_contain_text("nothing is saved here")
    return chat


def test_neither_drafts_nor_titles_are_left(chat):
    chat.asked(f"about the {MARK}")
    chat.field.fill(f"half a {MARK}")
    assert MARK not in chat.page.evaluate(STORED)
    expect(chat.page).to_have_title("Temporary chat · Amplifier")
    url = chat.page.url
    chat.page.goto("about:blank")
    chat.page.goto(url)
    expect(chat.page.locator("#badge")).to_contain_text("Temporary")
    expect(chat.page.locator("article").first).to_contain_text(MARK)
    expect(chat.field).to_have_value("")


def test_kept_it_keeps_drafts_again(chat):
    chat.asked("about kettles")
    chat.page.get_by_role("button", name="Keep this chat").click()
    expect(chat.note).to_contain_text("Kept as session")
    expect(chat.page).to_have_title("about kettles · Amplifier")
    chat.field.fill("half a kettle")
    chat.page.reload()
    expect(chat.field).to_have_value("half a kettle")


def test_deleted_it_makes_way_for_the_welcome(chat):
    chat.asked("about kettles")
    other = chat.tab()
    chat.page.get_by_role("button", name="Delete for good").click()
    expect(chat.page.locator(".welcome")).to_be_visible()
    expect(chat.page).to_have_title("Amplifier")
    expect(other.page.locator(".welcome")).to_be_visible()
    chat.open_sessions()
    expect(chat.page.locator("#sessionList")).to_contain_text("No sessions yet")
