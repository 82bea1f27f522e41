"""Actions on a page before htmx has started are delayed until then, and not lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.past import sessions_from_before
from tests.browser.test_files import NOTES
from tests.stored import documents_of
from webchat import config

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
    held_back(chat)
    return chat


def held_back(chat) -> None:
    """Load the page again; from then on htmx takes over each page when the test calls `begin()`."""
    chat.page.add_init_script(HELD_BACK)
    chat.page.reload()
    chat.until("window.begin")
    expect(chat.page.locator("[data-htmx-powered]")).to_have_count(0)
    chat.page.evaluate("window.isSamePage = true")


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


def test_a_button_does_its_own_request_on_the_same_page(serve, visit, home):
    config.save(documents_of(home), {"backend": "mock"})
    chat = visit(serve("--mock-delay", "0"), "/apps/settings/")
    held_back(chat)
    chat.page.get_by_label("Who answers").select_option("openai")
    chat.page.get_by_label("Address").fill("no address")
    chat.page.get_by_role("button", name="Test connection").click()
    begin(chat)
    expect(chat.page.locator("#connection .problem")).to_be_visible()
    assert chat.page.evaluate("window.isSamePage")


def test_a_file_that_was_unfolded_is_shown(chat):
    form = {"message": "Read this", "file": NOTES}
    chat.page.request.post(f"{chat.page.url}/messages", multipart=form)
    chat.page.reload()
    chat.until("window.begin")
    chat.page.locator("details.file summary").click()
    expect(chat.page.locator("details.file")).to_have_attribute("open", "")
    chat.page.evaluate("new Promise(requestAnimationFrame)")  # its own event has come by then
    begin(chat)
    expect(chat.page.locator("details.file pre")).to_have_text("<b>line one</b>\nline two\n")


PRESSED_AT_ONCE = """([target, css]) => document.addEventListener("htmx:before:settle", (event) => {
  if (event.target.id === target) document.querySelector(css)?.click();
})"""
"""A press between a part's arrival and the moment when htmx takes it over."""


def test_what_is_pressed_in_a_list_or_a_menu_that_has_just_come_has_its_effect(chat):
    begin(chat)
    chat.page.evaluate(PRESSED_AT_ONCE, ["sessionList", "#sessionList button.manage"])
    chat.page.evaluate(PRESSED_AT_ONCE, ["rowMenu", "#rowMenu [role=menuitem]"])
    chat.sessions_button.click()
    expect(chat.panel.get_by_label("Title", exact=True)).to_have_value("apples")


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
