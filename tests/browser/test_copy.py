"""Copy puts a code block, or a message as it was written, into the clipboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.chat_page import WORD_STAYS
from tests.scripted_server import says

pytestmark = pytest.mark.browser

ANSWER = "Use **this**:\n\n```python\nif a < b:\n    print('&')\n\n```\n\nDone."


@pytest.fixture
def chat(serve_model, model, visit):
    model.script(says(f"{ANSWER}\n"))
    chat = visit(serve_model(), permissions=["clipboard-read", "clipboard-write"])
    chat.asked("how?\n  And *why*?")
    chat.page.evaluate(WORD_STAYS)
    return chat


def clipboard(chat) -> str:
    return chat.page.evaluate("navigator.clipboard.readText()")


def test_a_code_block_is_copied_without_its_colours_and_the_newline_at_its_end(chat):
    button = chat.answer.get_by_role("button", name="Copy")
    button.click()
    expect(chat.answer.get_by_role("button", name="Copied")).to_be_visible()
    assert clipboard(chat) == "if a < b:\n    print('&')"


def test_a_formula_is_copied_as_its_source(serve_model, model, visit):
    model.script(says("So\n\n\\[ \\sqrt{x} \\]"))
    chat = visit(serve_model(), permissions=["clipboard-read", "clipboard-write"])
    chat.asked("how?")
    chat.page.evaluate(WORD_STAYS)
    expect(chat.answer.locator("math")).to_be_visible()
    chat.answer.locator(".formula").hover()
    chat.answer.locator(".formula").get_by_role("button", name="Copy").click()
    expect(chat.answer.get_by_role("button", name="Copied")).to_be_visible()
    assert clipboard(chat) == r"\sqrt{x}"


def test_an_answer_is_copied_as_it_was_written(chat):
    chat.answers.last.hover()
    chat.answers.last.locator("footer").get_by_role("button", name="Copy").click()
    expect(chat.answers.last.locator("footer").get_by_role("button", name="Copied")).to_be_visible()
    assert clipboard(chat) == ANSWER


def test_a_question_is_copied_as_it_was_written(chat):
    chat.questions.last.hover()
    chat.questions.last.get_by_role("button", name="Copy").click()
    expect(chat.questions.last.get_by_role("button", name="Copied")).to_be_visible()
    assert clipboard(chat) == "how?\n  And *why*?"


def copied(message) -> None:
    message.hover()
    message.locator("footer").get_by_role("button", name="Copy").click()
    expect(message.locator("footer").get_by_role("button", name="Copied")).to_be_visible()


# What other browsers deny or lack.
NOT_AFTER_THE_CLICK = "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not in the click')); }"
NO_PROMISES = "() => { window.ClipboardItem = class { constructor() { throw new TypeError('no promises'); } }; }"
NO_CLIPBOARD = "() => Object.defineProperty(navigator, 'clipboard', {value: undefined})"


@pytest.mark.parametrize("lacks", [NOT_AFTER_THE_CLICK, NO_PROMISES], ids=["only within the click", "no promises"])
def test_a_message_is_copied_in_other_browsers_too(chat, lacks):
    chat.page.evaluate(lacks)
    copied(chat.answers.last)
    assert clipboard(chat) == ANSWER


def test_without_a_clipboard_what_is_shown_is_copied(chat):
    chat.page.evaluate(NO_CLIPBOARD)
    copied(chat.questions.last)
    chat.field.press("Control+v")
    expect(chat.field).to_have_value("how?\n  And *why*?")
    chat.field.fill("")
    chat.answer.get_by_role("button", name="Copy").click()
    expect(chat.answer.get_by_role("button", name="Copied")).to_be_visible()
    chat.field.press("Control+v")
    expect(chat.field).to_have_value("if a < b:\n    print('&')")


def test_what_could_not_be_copied_is_not_in_the_next_copy(chat):
    chat.page.evaluate(NO_CLIPBOARD)
    chat.page.evaluate("() => { document.execCommand = () => false; }")
    button = chat.answer.get_by_role("button", name="Copy")
    button.click()
    expect(chat.answer.get_by_role("button", name="Not copied")).to_be_visible()
    chat.field.fill("mine")
    chat.field.press("Control+a")
    chat.field.press("Control+c")
    chat.field.fill("")
    chat.field.press("Control+v")
    expect(chat.field).to_have_value("mine")


def test_a_message_that_cannot_be_fetched_is_not_copied(chat):
    chat.page.route("**/messages/*", lambda route: route.abort())
    chat.answers.last.hover()
    chat.answers.last.locator("footer").get_by_role("button", name="Copy").click()
    expect(chat.answers.last.locator("footer").get_by_role("button", name="Not copied")).to_be_visible()


def test_other_buttons_copy_nothing(chat):
    asked = []
    chat.page.on("request", lambda request: asked.append(request.url))
    chat.page.set_input_files("#files", [{"name": "a.txt", "mimeType": "text/plain", "buffer": b"apples"}])
    remove = chat.page.get_by_role("button", name="Remove a.txt")
    remove.click()
    expect(remove).to_have_count(0)
    chat.answers.last.hover()
    chat.page.get_by_role("button", name="Ask for another answer").click()
    expect(chat.page.locator(".siblings")).to_be_visible()
    assert not [url for url in asked if url.endswith("undefined")]
