"""From the welcome page to an answer that streams word by word, and on to the next question."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.scripted_server import delta, ended, sends

pytestmark = pytest.mark.browser

WATCH_GROWTH = """() => {
  window.grown = [];
  new MutationObserver(() => {
    const text = document.querySelector('article[data-role="assistant"]:last-of-type .content')?.textContent.trim();
    if (text && text !== window.grown.at(-1)) window.grown.push(text);
  }).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""


def test_the_first_message_starts_a_session_with_its_own_address_title_and_badge(serve, visit):
    chat = visit(serve())
    expect(chat.page).to_have_title("Amplifier")
    expect(chat.badge).to_have_text("no session")
    chat.asked("What is a generator?\nIn Python.")
    expect(chat.page).to_have_url(re.compile(r"/sessions/mock-session-\w+$"))
    session_id = chat.page.url.rpartition("-")[2]
    expect(chat.badge).to_contain_text(session_id[:8])
    expect(chat.badge).to_have_attribute("data-connected", "true")
    expect(chat.page).to_have_title("What is a generator? · Amplifier")
    assert chat.texts() == [
        "What is a generator?\nIn Python.",
        "Mock response to: What is a generator?\nIn Python.",
    ]
    expect(chat.field).to_have_value("")
    expect(chat.field).to_be_focused()


def test_an_answer_comes_word_by_word(serve_model, model, visit, gates):
    model.script(sends("one", gates[0], " two", gates[1], " three", gates[2], " four", ended()))
    chat = visit(serve_model())
    chat.page.evaluate(WATCH_GROWTH)
    chat.ask("count")
    for gate, words in zip(gates, ("one", "one two", "one two three"), strict=True):
        chat.streaming(words)
        gate.set()
    chat.answered()
    assert chat.page.evaluate("window.grown") == ["one", "one two", "one two three", "one two three four"]


def test_dots_show_that_an_answer_is_awaited_until_its_first_word(serve_model, model, visit, gates):
    model.script(sends(delta(role="assistant"), gates[0], "Here", " it is.", ended()))
    chat = visit(serve_model())
    chat.ask("hello")
    expect(chat.answers.locator(".dots")).to_be_visible()
    gates[0].set()
    chat.answered()
    expect(chat.answers.locator(".dots")).to_have_count(0)
    expect(chat.answer).to_have_text("Here it is.")


def test_a_second_message_goes_on_in_the_same_session(serve, visit):
    chat = visit(serve("--backend", "mock", "--mock-delay", "0"))
    chat.asked("one")
    address = chat.page.url
    chat.asked("two")
    assert chat.texts() == ["one", "Mock response to: one", "two", "Mock response to: two"]
    assert chat.page.url == address
    expect(chat.page).to_have_title("one · Amplifier")
    expect(chat.field).to_be_focused()


def test_an_example_is_asked_at_a_click(serve, visit):
    chat = visit(serve("--backend", "mock", "--mock-delay", "0"))
    example = chat.page.locator("button.example").first
    text = example.inner_text()
    example.click()
    chat.answered()
    assert chat.texts() == [text, f"Mock response to: {text}"]


def test_the_page_says_which_model_answers(serve, visit):
    chat = visit(serve())
    expect(chat.page.locator(".hint")).to_contain_text("Mock, repeats what you say")


def test_an_answer_that_is_there_at_once_is_shown_at_once(serve, visit):
    chat = visit(serve("--backend", "mock", "--mock-delay", "0"))
    for number in range(8):
        chat.asked(f"question {number}")
    assert chat.texts()[-2:] == ["question 7", "Mock response to: question 7"]
    assert chat.messages.count() == 16
