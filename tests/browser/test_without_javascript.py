"""With JavaScript off the page is forms and links, and an answer streams in its frame."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.past import sessions_from_before
from tests.scripted_server import ended, sends

pytestmark = pytest.mark.browser

OFF = {"java_script_enabled": False}


def send(chat, text: str) -> None:
    chat.field.fill(text)
    chat.send_button.click(no_wait_after=True)


def test_a_message_is_sent_and_its_answer_streams_in_its_frame(serve_model, model, visit, gates):
    model.script(sends("One <two>", gates[0], " **three**.", gates[1], " Four.", ended()))
    chat = visit(serve_model(), **OFF)
    send(chat, "count")
    answer = chat.page.frame_locator("iframe.reply-frame").locator("body")
    expect(answer).to_contain_text("One <two>")
    expect(answer).not_to_contain_text("three")
    gates[0].set()
    expect(answer).to_contain_text("**three**.")
    expect(answer.get_by_role("link")).to_have_count(0)
    gates[1].set()
    answer.get_by_role("link", name="The answer is complete").click()
    chat.answered()
    assert chat.texts() == ["count", "One <two> three. Four."]
    expect(chat.page.locator("iframe")).to_have_count(0)
    expect(chat.page).to_have_title("count · Amplifier")


def test_the_frame_shows_the_end_of_a_growing_answer(serve_model, model, visit, gates):
    lines = [f"line {number}\n" for number in range(80)]
    model.script(sends(*lines[:40], gates[0], *lines[40:], ended()))
    chat = visit(serve_model(), **OFF)
    send(chat, "count")
    frame = chat.page.frame_locator("iframe.reply-frame")
    text = frame.locator(".plain")
    expect(text).to_contain_text("line 39")
    # Until the style sheets have arrived, a browser shows nothing, yet answers questions about the layout.
    expect(frame.locator("body")).to_have_css("display", "flex")
    assert text.evaluate("text => text.getBoundingClientRect().bottom <= innerHeight")
    gates[0].set()
    expect(frame.get_by_role("link", name="The answer is complete")).to_be_in_viewport()


def test_an_answer_is_stopped_by_its_form(serve_model, model, visit, gates):
    model.script(sends("w1 w2", gates[0], ended()), sends("w3", gates[1], ended()))
    chat = visit(serve_model(), **OFF)
    send(chat, "count")
    expect(chat.page.frame_locator("iframe.reply-frame").locator("body")).to_contain_text("w2")
    chat.stop_button.click()
    chat.answered("stopped")
    expect(chat.answers.last.get_by_text("Answer stopped.")).to_be_visible()
    chat.answers.last.get_by_role("button", name="Try again").click()
    expect(chat.page.frame_locator("iframe.reply-frame").locator("body")).to_contain_text("w3")


def test_sessions_are_listed_started_and_resumed_by_forms(serve, visit, home):
    sessions_from_before(home, "apples", "pears")
    chat = visit(serve("--backend", "mock", "--mock-delay", "0"), **OFF)
    expect(chat.sessions_button).to_be_hidden()
    chat.page.get_by_role("link", name="Sessions").click()
    expect(chat.rows).to_have_count(2)
    chat.rows.filter(has_text="apples").click()
    assert chat.texts() == ["apples", "Mock response to: apples"]
    expect(chat.badge).to_have_attribute("data-connected", "true")
    chat.page.get_by_role("link", name="Sessions").click()
    chat.page.get_by_role("button", name="+ New").click()
    expect(chat.messages).to_have_count(0)
    send(chat, "plums")
    expect(chat.questions).to_have_count(1)
    chat.page.reload()
    chat.answered()
    assert chat.texts() == ["plums", "Mock response to: plums"]
    chat.page.get_by_role("link", name="Sessions").click()
    expect(chat.rows).to_have_count(3)
    chat.page.get_by_role("searchbox").fill("pear")
    chat.page.get_by_role("button", name="Search").click()
    expect(chat.rows).to_have_count(1)


def test_nothing_is_offered_that_only_a_script_could_do(serve, visit, home):
    sessions_from_before(home, "hello")
    chat = visit(serve(), **OFF)
    expect(chat.page.get_by_role("button", name="Copy")).to_have_count(0)
    expect(chat.to_end).to_be_hidden()
