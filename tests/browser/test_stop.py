"""Stop ends an answer, keeps what came, and lets the person go on."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.scripted_server import SILENCE, delta, ended, says, sends

pytestmark = pytest.mark.browser

WORDS = " ".join(f"w{number}" for number in range(200))
HALF = WORDS.partition(" w100")[0]


@pytest.fixture
def count(serve_model, model, gates):
    """A server whose model says half of its words, and the others when the first gate opens."""
    model.script(sends(HALF, gates[0], WORDS.removeprefix(HALF), ended()))
    return serve_model()


def test_stop_stands_in_the_place_of_send_and_in_its_size(serve_model, model, visit, gates):
    model.script(says("Hello."), sends("w0 w1", gates[0], ended()))
    chat = visit(serve_model())
    chat.asked("hello")
    send = chat.send_button.bounding_box()
    chat.ask("count")
    chat.streaming("w1")
    expect(chat.send_button).to_be_hidden()
    expect(chat.stop_button).to_be_visible()
    assert chat.stop_button.bounding_box() == pytest.approx(send, abs=1)


def test_the_second_half_of_a_double_click_on_send_is_no_stop(count, visit, gates):
    chat = visit(count)
    chat.ask("count")
    chat.streaming("w99")
    chat.stop_button.dispatch_event("click", {"detail": 2})
    gates[0].set()
    chat.answered()
    assert chat.texts() == ["count", WORDS]


def test_a_third_press_in_quick_succession_stops(count, visit):
    chat = visit(count)
    chat.ask("count")
    chat.streaming("w99")
    chat.stop_button.dispatch_event("click", {"detail": 3})
    chat.answered("stopped")


def test_stop_keeps_what_came_and_marks_it(count, model, visit):
    chat = visit(count)
    chat.ask("count")
    chat.streaming("w99")
    chat.stop_button.click()
    chat.answered("stopped")
    note = chat.answers.last.locator(".note", has_text="Answer stopped.")
    expect(note).to_be_visible()
    expect(note.get_by_role("button", name="Try again")).to_be_visible()
    expect(chat.send_button).to_be_visible()
    expect(chat.stop_button).to_be_hidden()
    expect(chat.field).to_be_focused()
    assert chat.texts() == ["count", HALF]
    chat.page.reload()
    assert chat.texts() == ["count", HALF]
    chat.asked("go on")
    assert chat.texts() == ["count", HALF, "go on", "Hello there."]


def test_the_page_before_is_one_step_back_after_a_stop(count, visit):
    chat = visit(count, "/apps/settings/")
    chat.page.get_by_role("link", name="Back to the chat").click()
    chat.ask("count")
    chat.streaming("w99")
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


def test_a_stop_is_seen_in_the_other_tab(count, visit):
    chat = visit(count)
    chat.ask("count")
    chat.streaming("w99")
    other = chat.tab()
    other.streaming("w99")
    other.stop_button.click()
    other.answered("stopped")
    chat.page.bring_to_front()
    chat.answered("stopped")
    assert chat.texts() == other.texts()
    expect(chat.send_button).to_be_visible()
