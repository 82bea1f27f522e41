"""Stop ends an answer, keeps what came, and lets the person go on."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.scripted_server import SILENCE, delta, sends

pytestmark = pytest.mark.browser

WORDS = " ".join(f"w{number}" for number in range(200))


def test_stop_stands_in_the_place_of_send_and_in_its_size(serve, visit):
    chat = visit(serve("--backend", "mock", "--mock-delay", "0.04"))
    chat.asked("hello")
    send = chat.send_button.bounding_box()
    chat.ask(WORDS)
    chat.streaming("w5")
    expect(chat.send_button).to_be_hidden()
    expect(chat.stop_button).to_be_visible()
    assert chat.stop_button.bounding_box() == pytest.approx(send, abs=1)


def test_the_second_half_of_a_double_click_on_send_is_no_stop(serve, visit):
    chat = visit(serve("--backend", "mock", "--mock-delay", "0.01"))
    chat.ask(WORDS)
    chat.streaming("w5")
    chat.stop_button.dispatch_event("click", {"detail": 2})
    chat.answered()


def test_stop_keeps_what_came_and_marks_it(serve, visit):
    chat = visit(serve("--backend", "mock", "--mock-delay", "0.04"))
    chat.ask(WORDS)
    chat.streaming("w5")
    chat.stop_button.click()
    chat.answered("stopped")
    note = chat.answers.last.locator(".note", has_text="Answer stopped.")
    expect(note).to_be_visible()
    expect(note.get_by_role("button", name="Try again")).to_be_visible()
    expect(chat.send_button).to_be_visible()
    expect(chat.stop_button).to_be_hidden()
    expect(chat.field).to_be_focused()
    kept = chat.answer.inner_text().strip()
    assert kept.startswith("Mock response to: w0 w1 w2 w3 w4 w5")
    assert not kept.endswith("w199")
    chat.page.reload()
    assert chat.texts() == [WORDS, kept]
    chat.asked("go on")
    assert chat.texts() == [WORDS, kept, "go on", "Mock response to: go on"]


def test_the_page_before_is_one_step_back_after_a_stop(serve, visit):
    chat = visit(serve("--backend", "mock", "--mock-delay", "0.04"), "/apps/settings/")
    chat.page.get_by_role("link", name="Back to the chat").click()
    chat.ask(WORDS)
    chat.streaming()
    before = chat.page.evaluate("history.length")
    chat.stop_button.click()
    chat.answered("stopped")
    expect(chat.field).to_be_focused()
    assert chat.page.evaluate("history.length") == before


def test_a_model_that_has_said_nothing_yet_can_be_stopped(serve_model, model, visit):
    model.script(sends(delta(role="assistant"), SILENCE))
    chat = visit(serve_model())
    chat.ask("hello")
    asked = model.next_request()
    chat.stop_button.click()
    chat.answered("stopped")
    assert asked.wait_until_gone()
    chat.answers.last.get_by_role("button", name="Try again").click()
    expect(chat.answer).to_have_text("Hello there.")


def test_a_stop_is_seen_in_the_other_tab(serve, visit):
    chat = visit(serve("--backend", "mock", "--mock-delay", "0.04"))
    chat.ask(WORDS)
    chat.streaming("w2")
    other = chat.tab()
    other.streaming("w4")
    other.stop_button.click()
    other.answered("stopped")
    chat.page.bring_to_front()
    chat.answered("stopped")
    assert chat.texts() == other.texts()
    expect(chat.send_button).to_be_visible()
