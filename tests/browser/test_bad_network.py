"""After a cut or silent network, or some time in the background, the page is complete again."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.proxy import Proxy

pytestmark = pytest.mark.browser

WORDS = " ".join(f"word-{number}\n\n" if number % 20 == 0 else f"word-{number}" for number in range(300))
MIDDLE = "word-30"


@pytest.fixture
def network(serve):
    """Starts a server behind a network."""
    opened: list[Proxy] = []

    def start(*options: str) -> Proxy:
        opened.append(Proxy(serve("--backend", "mock", *options).url))
        return opened[-1]

    yield start
    for proxy in opened:
        proxy.close()


def assert_whole(chat):
    """The page shows the same as after a reload."""
    chat.answered()
    shown = chat.answer.inner_text()
    assert "word-299" in shown
    assert chat.tab().answer.inner_text() == shown
    assert chat.messages.count() == 2


def test_a_stream_that_is_cut_many_times_loses_and_doubles_nothing(network, visit):
    proxy = network("--mock-delay", "0.01")
    proxy.cuts = 6
    chat = visit(proxy)
    chat.ask(WORDS)
    chat.answered()
    assert proxy.cuts == 0
    assert_whole(chat)


def test_a_silent_network_is_noticed_and_said(network, visit):
    proxy = network("--mock-delay", "0.02")
    chat = visit(proxy)
    chat.page.clock.install()
    chat.page.reload()
    chat.ready().ask(WORDS)
    chat.streaming(MIDDLE)
    proxy.silent.set()
    before = proxy.streams
    expect(chat.page.locator("#reconnecting")).to_be_hidden()
    chat.page.clock.fast_forward(46_000)
    expect(chat.page.locator("#reconnecting")).to_be_visible()
    proxy.silent.clear()
    chat.page.clock.run_for(2_000)
    assert_whole(chat)
    assert proxy.streams > before


def test_a_changed_network_is_taken_up_at_once(network, visit):
    proxy = network("--mock-delay", "0.02")
    chat = visit(proxy)
    chat.ask(WORDS)
    chat.streaming(MIDDLE)
    proxy.silent.set()
    assert proxy.lost.wait(60)
    proxy.silent.clear()
    before = proxy.streams
    chat.page.evaluate("dispatchEvent(new Event('online'))")
    assert_whole(chat)
    assert proxy.streams > before


def test_the_stream_of_a_page_that_is_left_is_ended_and_comes_back_if_it_stays(network, visit):
    proxy = network("--mock-delay", "0.01")
    chat = visit(proxy)
    chat.page.evaluate(
        """() => {
          window.told = [];
          document.addEventListener("htmx:sse:error", () => window.told.push("lost"));
          document.addEventListener("htmx:sse:after:connection", () => window.told.push("connected"));
        }"""
    )
    chat.ask(WORDS)
    chat.streaming(MIDDLE)
    before = proxy.streams
    # As for a download, which in the end does not leave the page.
    chat.page.evaluate("window.told.length = 0; dispatchEvent(new Event('beforeunload'))")
    assert_whole(chat)
    assert proxy.streams > before
    assert chat.page.evaluate("window.told") == ["connected"]
    expect(chat.page.locator("#reconnecting")).to_be_hidden()
