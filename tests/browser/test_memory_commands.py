"""Memory commands are answered at once, on the page, without the model."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

QUICK = ("--backend", "mock", "--mock-delay", "0")


def test_something_is_remembered_and_recalled(serve, visit):
    chat = visit(serve(*QUICK))
    chat.ask("remember this: the garden gate is green")
    expect(chat.answer).to_contain_text("Remembered! Stored as mem-001")
    chat.ask("what do you remember about the garden?")
    expect(chat.messages).to_have_count(4)
    expect(chat.answer).to_contain_text("Found 1 memory(ies):")
    expect(chat.answer).to_contain_text("the garden gate is green")
    chat.ask("recall elephants")
    expect(chat.messages).to_have_count(6)
    expect(chat.answer).to_contain_text("No memories found matching")
    expect(chat.field).to_be_focused()
    chat.page.reload()
    expect(chat.messages).to_have_count(6)
    chat.open("/apps/settings/")
    expect(chat.page.get_by_text("the garden gate is green")).to_be_visible()


def test_the_model_can_be_asked_instead(serve, visit):
    chat = visit(serve(*QUICK))
    chat.asked("hello")
    chat.ask("recall the movie")
    expect(chat.answer).to_contain_text("No memories found")
    chat.page.get_by_role("button", name="Ask the model instead").click()
    expect(chat.messages).to_have_count(6)
    chat.answered()
    assert chat.texts()[4:] == ["recall the movie", "Mock response to: recall the movie"]
    expect(chat.page.get_by_role("button", name="Ask the model instead")).to_be_hidden()


def test_a_memory_command_is_seen_in_the_other_tab(serve, visit):
    chat = visit(serve(*QUICK))
    chat.asked("hello")
    other = chat.tab()
    other.ask("remember this: the other tab sees it")
    expect(other.messages).to_have_count(4)
    chat.page.bring_to_front()
    expect(chat.messages).to_have_count(4)
    expect(chat.answer).to_contain_text("Remembered!")
