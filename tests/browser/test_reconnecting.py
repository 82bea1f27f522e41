"""A page whose server went away says so, and reconnects by itself."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.scripted_server import says, sends

pytestmark = pytest.mark.browser


def test_after_a_kill_in_mid_answer_the_open_page_shows_what_is_left_and_goes_on(serve_model, model, visit, gates):
    model.script(sends("one two", gates[0]), says(" three"))
    server = serve_model()
    chat = visit(server)
    chat.ask("count")
    chat.streaming("one two")
    server.kill()
    line = chat.page.locator("#reconnecting")
    expect(line).to_be_visible()
    again = serve_model("--port", chat.base.rpartition(":")[2])
    assert again.url == chat.base
    chat.answered("interrupted")
    expect(line).to_be_hidden()
    assert chat.texts() == ["count", "one two"]
    chat.page.get_by_role("button", name="Continue").click()
    # The stream may bring the end before the form's response, which was made in mid-answer, is on the page.
    expect(chat.answer).to_have_text("one two three")
    chat.answered()
    assert chat.texts() == ["count", "one two three"]
