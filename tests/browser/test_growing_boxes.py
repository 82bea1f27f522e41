"""Text boxes grow with their text, even in browsers without `field-sizing`."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, expect

from tests.browser.past import sessions_from_before

pytestmark = pytest.mark.browser

LINES = "\n".join(f"line {number}" for number in range(9))
FITS = "box.scrollHeight <= box.clientHeight + 1"


def without_field_sizing(route: Route) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, body=answer.text().replace("field-sizing: content", ""))


@pytest.fixture
def chat(serve_model, visit, home):
    sessions_from_before(home, LINES)
    chat = visit(serve_model())
    chat.page.route("**/app.css*", without_field_sizing)
    chat.page.add_init_script("CSS.supports = () => false")
    # Not from the browser's cache.
    chat.page.context.new_cdp_session(chat.page).send("Network.setCacheDisabled", {"cacheDisabled": True})
    chat.page.reload()
    return chat.ready()


def fits(chat, css: str) -> None:
    """Wait until that box shows all of its text; one in a popover grows with an event after it has opened."""
    chat.until(f"(box => box.scrollHeight && {FITS})(document.querySelector({css!r}))")


def grows(box) -> None:
    box.fill("one")
    before = box.bounding_box()["height"]
    box.fill(LINES)
    assert box.bounding_box()["height"] > before
    assert box.evaluate(f"box => {FITS}")
    box.fill("one")
    assert box.bounding_box()["height"] == before
    box.fill("w " * 600)
    assert box.evaluate(f"box => {FITS}") or box.bounding_box()["height"] >= 0.4 * 800 - 1


def test_the_message_field(chat):
    grows(chat.field)
    chat.field.fill(LINES)
    chat.page.reload()
    expect(chat.field).to_have_value(LINES)
    assert chat.field.evaluate(f"box => {FITS}")


def test_the_box_in_which_a_message_is_changed(chat):
    chat.questions.first.hover()
    chat.questions.first.get_by_role("link", name="Edit").click()
    box = chat.page.get_by_label("Your message")
    expect(box).to_have_value(LINES)
    assert box.evaluate(f"box => {FITS}")
    grows(box)


def test_the_system_prompt_of_a_session(chat):
    chat.page.locator("#hint .who").first.click()
    box = chat.page.get_by_label("System prompt")
    box.fill(LINES)
    assert box.evaluate(f"box => {FITS}")
    chat.page.locator("#optionsPanel").get_by_role("button", name="Save").click()
    expect(chat.page.locator("#optionsPanel")).to_be_hidden()
    chat.page.locator("#hint .who").first.click()
    expect(box).to_have_value(LINES)
    fits(chat, "#o-system_prompt")


def test_the_system_prompt_in_the_settings(chat):
    chat.open("/apps/settings/")
    box = chat.page.locator("textarea[name=system_prompt]")
    box.fill(LINES)
    assert box.evaluate(f"box => {FITS}")
