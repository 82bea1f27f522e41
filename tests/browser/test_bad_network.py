"""After a cut or silent network, or some time in the background, the page is complete again."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.proxy import Proxy
from tests.scripted_server import ended, says, sends

pytestmark = pytest.mark.browser

WORDS = [f"word-{number}\n\n" if number % 20 == 0 else f"word-{number} " for number in range(300)]
MIDDLE = 100
TELL = """() => {
  window.told = [];
  document.addEventListener("htmx:sse:error", () => window.told.push("lost"));
  document.addEventListener("htmx:sse:after:connection", () => window.told.push("connected"));
}"""


@pytest.fixture
def network(serve_model):
    """A server behind a network."""
    proxy = Proxy(serve_model().url)
    yield proxy
    proxy.close()


@pytest.fixture
def ask(model, gates):
    """Asks for an answer that stops in its middle until the first gate opens, and waits for that and its stream."""
    model.script(sends(*WORDS[:MIDDLE], gates[0], *WORDS[MIDDLE:], ended()))

    def asked(chat):
        chat.page.evaluate(TELL)
        chat.ask("count")
        chat.streaming(f"word-{MIDDLE - 1}")
        chat.until("window.told.includes('connected')")

    return asked


def assert_whole(chat):
    """The page shows the same as after a reload."""
    chat.answered()
    shown = chat.answer.inner_text()
    assert "word-299" in shown
    assert chat.tab().answer.inner_text() == shown
    assert chat.messages.count() == 2


def test_a_stream_that_is_cut_many_times_loses_and_doubles_nothing(network, model, visit):
    model.script(says(*WORDS, delay=0.01))
    network.cuts = 6
    chat = visit(network)
    chat.ask("count")
    chat.answered()
    assert network.cuts == 0
    assert_whole(chat)


def test_a_silent_network_is_noticed_and_said(network, ask, visit, gates):
    chat = visit(network)
    chat.page.clock.install()
    chat.page.reload()
    ask(chat.ready())
    network.silent.set()
    gates[0].set()
    before = network.streams
    expect(chat.page.locator("#reconnecting")).to_be_hidden()
    chat.page.clock.fast_forward(46_000)
    expect(chat.page.locator("#reconnecting")).to_be_visible()
    said, field = (chat.page.locator(name).bounding_box() for name in ("#reconnecting", "#messageForm"))
    assert said["x"] + said["width"] == field["x"] + field["width"]
    network.silent.clear()
    chat.page.clock.run_for(2_000)
    assert_whole(chat)
    assert network.streams > before


def test_a_changed_network_is_taken_up_at_once(network, ask, visit, gates):
    chat = visit(network)
    ask(chat)
    network.silent.set()
    gates[0].set()
    assert network.lost.wait(60)
    network.silent.clear()
    before = network.streams
    chat.page.evaluate("dispatchEvent(new Event('online'))")
    assert_whole(chat)
    assert network.streams > before


def test_the_stream_of_a_page_that_is_left_is_ended_and_comes_back_if_it_stays(network, ask, visit, gates):
    chat = visit(network)
    ask(chat)
    before = network.streams
    # As for a download, which in the end does not leave the page.
    chat.page.evaluate("window.told.length = 0; dispatchEvent(new Event('beforeunload'))")
    gates[0].set()
    assert_whole(chat)
    assert network.streams > before
    assert chat.page.evaluate("window.told") == ["connected"]
    expect(chat.page.locator("#reconnecting")).to_be_hidden()
