"""The server goes away, comes back, or is busy: no text is lost and the page goes on by itself."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.past import sessions_from_before
from tests.scripted_server import says, sends

pytestmark = pytest.mark.browser

QUICK = ("--backend", "mock", "--mock-delay", "0")


def again(serve, server, *options):
    """The same server, restarted on its old port."""
    return serve(*options, "--port", str(urlsplit(server.url).port))


def test_sending_to_a_server_that_is_gone_says_so_and_keeps_the_text(serve, visit):
    server = serve(*QUICK)
    chat = visit(server)
    chat.asked("hello")
    server.kill()
    chat.ask("are you there?")
    expect(chat.problem.get_by_role("alert")).to_contain_text("did not answer")
    expect(chat.field).to_have_value("are you there?")
    again(serve, server, *QUICK)
    chat.field.press("Enter")
    expect(chat.messages).to_have_count(4)
    chat.answered()
    assert chat.texts()[2:] == ["are you there?", "Mock response to: are you there?"]
    expect(chat.problem).to_be_empty()
    expect(chat.field).to_have_value("")


def test_the_first_message_is_kept_too(serve, visit):
    server = serve(*QUICK)
    chat = visit(server)
    server.kill()
    chat.ask("hello")
    expect(chat.problem.get_by_role("alert")).to_contain_text("did not answer")
    expect(chat.field).to_have_value("hello")


def test_the_page_goes_on_by_itself_when_the_server_is_back(serve, visit, home):
    sessions_from_before(home, "hello")
    server = serve(*QUICK)
    chat = visit(server)
    server.terminate()
    server = again(serve, server, *QUICK)
    chat.page.request.post(f"{chat.page.url}/messages", form={"message": "from elsewhere"})
    expect(chat.messages).to_have_count(4)
    chat.answered()
    assert chat.texts()[2:] == ["from elsewhere", "Mock response to: from elsewhere"]


def test_an_answer_that_the_server_took_with_it_is_shown_as_interrupted(serve_model, model, visit, gates):
    model.script(sends("one two", gates[0], " three"), says("one two three four"))
    server = serve_model()
    chat = visit(server)
    chat.ask("count")
    chat.streaming("one two")
    server.kill()
    again(serve_model, server)
    expect(chat.answers.last).to_have_attribute("data-status", "interrupted")
    expect(chat.answers.last.get_by_text("Answer interrupted.")).to_be_visible()
    assert chat.texts() == ["count", "one two"]
    expect(chat.send_button).to_be_visible()
    chat.answers.last.get_by_role("button", name="Try again").click()
    expect(chat.page.locator("article .content")).to_have_text(["count", "one two three four"])
    chat.answered()
