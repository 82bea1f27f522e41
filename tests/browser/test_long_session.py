"""A long session shows its end at once, and its beginning on demand."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.past import long_session

pytestmark = pytest.mark.browser


@pytest.fixture
def chat(serve, visit, home):
    """A page on a session of 120 messages."""
    session_id = long_session(home, 60)
    return visit(serve("--backend", "mock", "--mock-delay", "0"), f"/sessions/{session_id}")


def test_it_opens_at_its_end_with_the_last_messages(chat):
    expect(chat.messages).to_have_count(20)
    assert chat.texts()[0].startswith("question 50,")
    expect(chat.answer).to_be_in_viewport()
    chat.at_end()
    expect(chat.to_end).to_be_hidden()


def test_earlier_messages_come_when_they_are_scrolled_to_and_the_place_stays(chat):
    mark = chat.page.locator(f"#{chat.messages.first.get_attribute('id')}")
    expect(mark.locator(".content")).to_contain_text("question 50,")
    expect(chat.page.get_by_role("link", name="Show earlier messages (100)")).to_have_count(1)
    chat.page.evaluate("scrollTo(0, 0)")
    expect(chat.messages).to_have_count(70)
    chat.until("document.documentElement.scrollTop > 1000")  # the end of the swap
    assert 0 <= chat.box(mark)["top"] < 300  # not moved away by what was inserted above it
    chat.page.evaluate("scrollTo(0, 0)")
    expect(chat.messages).to_have_count(120)
    texts = chat.texts()
    assert [text for text in texts if text.startswith("question")] == [
        f"question {number}, with a few words behind it" for number in range(60)
    ]
    expect(chat.page.locator("#earlier")).to_have_count(0)


def test_it_goes_on_after_the_earlier_messages_were_shown(chat):
    chat.page.evaluate("scrollTo(0, 0)")
    expect(chat.messages).to_have_count(70)
    chat.asked("and on")
    assert chat.texts()[-2:] == ["and on", "Mock response to: and on"]
    expect(chat.messages).to_have_count(72)
    expect(chat.answer).to_be_in_viewport()


def test_resuming_it_lands_at_its_end_too(serve, visit, home):
    long_session(home, 60)
    chat = visit(serve("--backend", "mock", "--mock-delay", "0"))
    chat.new_session()
    chat.open_sessions()
    chat.rows.filter(has_text="question 0").click()
    expect(chat.note).to_contain_text("Resumed session")
    expect(chat.note).to_be_in_viewport()
    chat.at_end()


def test_without_a_script_the_earlier_messages_are_a_link(serve, visit, home):
    session_id = long_session(home, 60)
    chat = visit(serve(), f"/sessions/{session_id}", java_script_enabled=False)
    expect(chat.messages).to_have_count(20)
    chat.page.get_by_role("link", name="Show earlier messages (100)").click()
    expect(chat.messages).to_have_count(70)


def test_a_message_that_is_not_changed_after_all_stays_where_it_is(chat):
    chat.page.evaluate("scrollTo(0, 0)")
    expect(chat.messages).to_have_count(70)
    chat.until("document.documentElement.scrollTop > 1000")
    message = chat.page.locator(f"#{chat.questions.filter(has_text='question 40,').get_attribute('id')}")
    message.scroll_into_view_if_needed()
    message.get_by_role("link", name="Edit").click()
    top = chat.box(message)["top"]
    message.get_by_role("textbox").press("Escape")
    expect(message.locator(".content")).to_contain_text("question 40,")
    expect(chat.messages).to_have_count(70)
    assert abs(chat.box(message)["top"] - top) < 50
    assert message.evaluate("message => message.contains(document.activeElement)")


def test_the_form_for_a_message_works_as_a_page_of_its_own(chat):
    form = chat.messages.nth(2).get_by_role("link", name="Edit").evaluate("link => link.href")
    chat.page.goto(form)
    chat.page.get_by_role("link", name="Cancel").click()
    expect(chat.questions.filter(has_text="question 51,")).to_be_in_viewport()
    chat.page.goto(form)
    chat.page.get_by_role("textbox").fill("changed")
    chat.page.get_by_role("button", name="Send").click()
    expect(chat.questions.last.locator(".content")).to_have_text("changed")
