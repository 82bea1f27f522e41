"""Actions on a page before htmx has started are delayed until then, and not lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.past import sessions_from_before

pytestmark = pytest.mark.browser

HELD_BACK = """
const { setTimeout } = window;
window.setTimeout = (act, ...more) => more.length ? setTimeout(act, ...more) : window.begin = act;
"""
"""htmx starts in a timeout of zero."""


@pytest.fixture
def chat(serve, visit, home):
    """A conversation whose page htmx takes over when the test calls `begin()`."""
    sessions_from_before(home, "apples")
    chat = visit(serve("--backend", "mock", "--mock-delay", "0"))
    no_news(chat)
    chat.page.add_init_script(HELD_BACK)
    chat.page.reload()
    chat.until("window.begin")
    expect(chat.page.locator("[data-htmx-powered]")).to_have_count(0)
    chat.page.evaluate("window.isSamePage = true")
    return chat


def no_news(chat) -> None:
    """Without its stream, a page gets only the responses to its own requests."""
    chat.page.route("**/events*", lambda route: route.abort())


def begin(chat) -> None:
    chat.page.evaluate("begin()")


def test_the_sessions_are_listed(chat):
    chat.sessions_button.click()
    expect(chat.panel).to_contain_text("Loading…")
    begin(chat)
    expect(chat.rows).to_have_count(1)


def test_a_link_leads_to_its_place_on_the_same_page(chat):
    chat.questions.hover()
    chat.questions.first.get_by_role("link", name="Edit").click()
    begin(chat)
    expect(chat.page.locator("form.edit textarea")).to_have_value("apples")
    assert chat.page.evaluate("window.isSamePage")


def test_a_link_opens_another_tab_as_anywhere(chat):
    chat.questions.hover()
    with chat.page.context.expect_page() as opened:
        chat.questions.first.get_by_role("link", name="Edit").click(modifiers=["ControlOrMeta"])
    expect(opened.value.locator("form.edit textarea")).to_have_value("apples")
    begin(chat)
    expect(chat.questions.locator(".content")).to_have_text("apples")


def test_a_message_is_sent(chat):
    chat.ask("pears")
    begin(chat)
    expect(chat.questions.locator(".content")).to_have_text(["apples", "pears"])
    assert chat.page.evaluate("window.isSamePage")


def test_sessions_that_were_opened_before_any_script_was_there_are_listed(serve, visit, home):
    sessions_from_before(home, "apples")
    chat = visit(serve(), "/settings")
    no_news(chat)
    held = []
    chat.page.route("**/chat*.js*", lambda route: held.append(route))
    chat.page.goto(chat.base, wait_until="commit")
    chat.sessions_button.click()
    expect(chat.panel).to_contain_text("Loading…")
    chat.wait_for(held)
    held[0].continue_()
    expect(chat.rows).to_have_count(1)
