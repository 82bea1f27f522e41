"""Keyboard shortcuts that work anywhere on the page, and the list of them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.past import sessions_from_before
from tests.scripted_server import ended, sends

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("key", ["Control+k", "Meta+k"])
def test_sessions_open_and_close_and_the_arrows_lead_into_them(serve, visit, home, key):
    sessions_from_before(home, "apples", "pears")
    chat = visit(serve())
    keyboard = chat.page.keyboard
    chat.ready().field.fill("half a sentence")
    keyboard.press(key)
    expect(chat.rows).to_have_count(2)
    keyboard.press(key)
    expect(chat.panel).to_be_hidden()
    expect(chat.field).to_be_focused()
    keyboard.press(key)
    expect(chat.rows).to_have_count(2)
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    expect(chat.page).to_have_title("apples · Amplifier")
    expect(chat.field).to_be_focused()


def test_a_slash_opens_the_sessions_but_in_a_field_is_written(serve, visit):
    chat = visit(serve())
    chat.field.press("/")
    expect(chat.field).to_have_value("/")
    chat.page.get_by_role("link", name="Settings").focus()
    chat.page.keyboard.press("/")
    expect(chat.panel).to_be_visible()
    expect(chat.field).to_have_value("/")


def test_a_new_session_from_anywhere(serve, visit, home):
    sessions_from_before(home, "apples")
    chat = visit(serve()).ready()
    chat.page.keyboard.press("Control+Shift+o")
    expect(chat.note).to_contain_text("New session started")
    expect(chat.field).to_be_focused()


def test_escape_stops_the_answer_but_closes_what_is_open_first(serve_model, model, visit, gates):
    model.script(sends("word", gates[0], " word", gates[1], ended()))
    chat = visit(serve_model())
    keyboard = chat.page.keyboard
    chat.ask("hello")
    chat.streaming("word")
    keyboard.press("Control+k")
    expect(chat.panel).to_be_visible()
    keyboard.press("Escape")
    expect(chat.panel).to_be_hidden()
    gates[0].set()
    chat.streaming("word word")
    keyboard.press("Escape")
    chat.answered("stopped")
    expect(chat.field).to_be_focused()
    keyboard.press("Escape")  # nothing to stop: nothing happens
    chat.answered("stopped")


def test_back_to_the_message_field(serve, visit):
    chat = visit(serve())
    chat.page.get_by_role("link", name="Settings").focus()
    chat.page.keyboard.press("Shift+Escape")
    expect(chat.field).to_be_focused()


LISTED_AT_ONCE = """document.addEventListener("DOMContentLoaded", () => {
  const key = { key: "/", ctrlKey: true, bubbles: true, cancelable: true };
  document.body.dispatchEvent(new KeyboardEvent("keydown", key));
});"""
"""The first thing after the page's scripts: before its first frame, in which the browser moves the focus."""


def test_the_list_of_shortcuts_is_shown_by_key_and_by_mouse(serve, visit):
    chat = visit(serve())
    keyboard, listed = chat.page.keyboard, chat.page.get_by_role("dialog", name="Keyboard shortcuts")
    keyboard.press("Control+/")
    expect(listed).to_be_visible()
    keyboard.press("Control+k")  # not behind the list
    expect(chat.panel).to_be_hidden()
    keyboard.press("Escape")
    expect(listed).to_be_hidden()
    expect(chat.field).to_be_focused()
    chat.page.get_by_role("button", name="Shortcuts").click()
    expect(listed).to_be_visible()
    listed.get_by_role("button", name="Close").click()
    expect(listed).to_be_hidden()


def test_the_list_gives_the_focus_back_also_if_it_is_opened_at_once(serve, visit):
    chat = visit(serve())
    chat.page.add_init_script(LISTED_AT_ONCE)
    chat.page.reload()
    listed = chat.page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(listed).to_be_visible()
    chat.page.keyboard.press("Escape")
    expect(listed).to_be_hidden()
    expect(chat.field).to_be_focused()


def test_a_click_beside_the_list_closes_it_also_where_the_browser_does_not(serve, visit):
    chat = visit(serve())
    listed = chat.page.get_by_role("dialog", name="Keyboard shortcuts")
    chat.page.locator("#shortcuts").evaluate("dialog => dialog.removeAttribute('closedby')")
    chat.page.get_by_role("button", name="Shortcuts").click()
    box = listed.bounding_box()
    chat.page.mouse.click(box["x"] + 3, box["y"] + 3)
    listed.get_by_role("heading").click()
    expect(listed).to_be_visible()
    chat.page.mouse.click(box["x"] - 20, box["y"] + 20)
    expect(listed).to_be_hidden()


def test_escape_in_the_search_closes_the_sessions_whatever_the_browser_does_with_it(serve, visit):
    chat = visit(serve()).ready()
    chat.open_sessions()
    chat.page.locator("#sessionSearch").fill("apples")
    # A key that the browser itself does not use.
    chat.page.locator("#sessionSearch").dispatch_event("keydown", {"key": "Escape"})
    expect(chat.panel).to_be_hidden()
