"""Firefox and WebKit with JavaScript off: forms, links, and an answer that streams in its frame."""

from __future__ import annotations

import pytest

from tests.browser.engines.tab import FIELD, MESSAGE, Tab
from tests.browser.past import sessions_from_before
from tests.scripted_server import ended, sends

pytestmark = pytest.mark.browser

FRAME_DOCUMENT = "document.querySelector('iframe.reply-frame').contentDocument"
FRAME = f"{FRAME_DOCUMENT}.body.textContent"


@pytest.fixture
def visit(scriptless):
    def opened(server):
        tab = Tab(scriptless, server.url).open()
        tab.until_there(FIELD)
        assert not tab.script("document.cookie")  # no script of the page has run
        return tab

    yield opened
    scriptless.get("about:blank")


def send(tab: Tab, text: str) -> None:
    tab.type(FIELD, text)
    tab.click(".send")


def test_a_message_is_sent_and_its_answer_streams_in_its_frame(serve_model, model, visit, gates):
    model.script(sends("One <two>", gates[0], " **three**.", ended()))
    tab = visit(serve_model())
    send(tab, "count")
    tab.until(f"{FRAME}.includes('One <two>')")
    assert "three" not in tab.script(FRAME)
    gates[0].set()
    # Its styles have come, too: they would move the link while it is clicked.
    tab.until(f"{FRAME}.includes('The answer is complete') && {FRAME_DOCUMENT}.readyState === 'complete'")
    tab.driver.switch_to.frame(tab.element("iframe.reply-frame"))
    tab.element("a").click()
    tab.driver.switch_to.default_content()
    tab.answered()
    assert tab.texts() == ["count", "One <two> three."]


def test_the_frame_shows_the_end_of_a_growing_answer(serve_model, model, visit, gates):
    model.script(sends("line\n" * 40, "so far", gates[0], ended()))
    tab = visit(serve_model())
    send(tab, "write")
    end = f"{FRAME_DOCUMENT}.querySelector('.plain').getBoundingClientRect().bottom"
    tab.until(f"{FRAME}.includes('so far') && {end} <= {FRAME_DOCUMENT}.defaultView.innerHeight")
    gates[0].set()
    tab.until(f"{FRAME}.includes('The answer is complete')")


def test_an_answer_is_stopped_and_asked_again_by_forms(serve_model, model, visit, gates):
    model.script(sends("so far", gates[0], " and on", ended()), sends("again", ended()))
    tab = visit(serve_model())
    send(tab, "write")
    tab.until(f"{FRAME}.includes('so far')")
    tab.click(".stop")
    tab.answered("stopped")
    assert tab.texts() == ["write", "so far"]


def test_sessions_are_listed_resumed_and_started_by_forms(serve, visit, home):
    sessions_from_before(home, "apples", "pears")
    tab = visit(serve("--backend", "mock", "--mock-delay", "0"))
    tab.click("nav a[href$='/sessions']")
    tab.until_there("button.row", count=2)
    tab.click("button.row:not([aria-current])")
    tab.until_there(f"{MESSAGE} .content", "apples", count=2)
    tab.click("nav a[href$='/sessions']")
    tab.click(".panel-head form button")
    tab.until_there(FIELD)
    assert tab.count(MESSAGE) == 0
    send(tab, "plums")
    tab.until_there(f"{MESSAGE} .content", "plums")
