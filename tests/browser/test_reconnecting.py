"""A page whose server went away says so, and reconnects by itself."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

WORDS = " ".join(f"w{number}" for number in range(200))


def test_after_a_kill_in_mid_answer_the_open_page_shows_what_is_left_and_goes_on(serve, visit):
    server = serve("--backend", "mock", "--mock-delay", "0.05")
    chat = visit(server)
    chat.ask(WORDS)
    chat.streaming("w5")
    server.kill()
    line = chat.page.locator("#reconnecting")
    expect(line).to_be_visible()
    seen = chat.answer.inner_text()
    again = serve("--backend", "mock", "--mock-delay", "0", "--port", chat.base.rpartition(":")[2])
    assert again.url == chat.base
    chat.answered("interrupted")
    expect(line).to_be_hidden()
    kept = chat.answer.inner_text()
    assert kept.startswith(seen)
    assert f"Mock response to: {WORDS}".startswith(kept)
    chat.page.get_by_role("button", name="Continue").click()
    chat.answered()
    assert chat.answer.inner_text().startswith(kept)
    assert chat.answers.count() == 1
