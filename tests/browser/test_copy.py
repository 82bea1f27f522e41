"""Copy puts a code block, or a message as it was written, into the clipboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.scripted_server import says

pytestmark = pytest.mark.browser

ANSWER = "Use **this**:\n\n```python\nif a < b:\n    print('&')\n```\n\nDone."


@pytest.fixture
def chat(serve_model, model, visit):
    model.script(says(ANSWER))
    chat = visit(serve_model(), permissions=["clipboard-read", "clipboard-write"])
    chat.asked("how?\n  And *why*?")
    return chat


def clipboard(chat) -> str:
    return chat.page.evaluate("navigator.clipboard.readText()")


def test_a_code_block_is_copied_without_its_colours(chat):
    button = chat.answer.get_by_role("button", name="Copy")
    button.click()
    expect(chat.answer.get_by_role("button", name="Copied")).to_be_visible()
    assert clipboard(chat) == "if a < b:\n    print('&')\n"


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
