"""While an answer grows, what a person reads or has selected stays as it is."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.scripted_server import ended, sends

pytestmark = pytest.mark.browser

FIRST = "First paragraph, which is finished.\n\n"


def paragraphs(first: int, last: int) -> list[str]:
    return [f"Paragraph {number} with some words in it.\n\n" for number in range(first, last)]


def test_a_selection_in_finished_text_survives_what_comes_after(serve_model, model, visit, gates):
    model.script(sends(FIRST, "Second", gates[0], " part.\n\n", *paragraphs(3, 6), gates[1], "End.", ended()))
    chat = visit(serve_model())
    chat.ask("write")
    chat.streaming("Second")
    chat.answer.get_by_text("First paragraph").select_text()
    gates[0].set()
    chat.streaming("Paragraph 5")
    assert chat.page.evaluate("getSelection().toString()").strip() == FIRST.strip()
    gates[1].set()
    chat.answered()
    assert chat.page.evaluate("getSelection().toString()").strip() == FIRST.strip()


def test_finished_text_is_never_drawn_anew(serve_model, model, visit, gates):
    model.script(sends(FIRST, "Second", gates[0], " part.\n\n", *paragraphs(3, 20), ended()))
    chat = visit(serve_model())
    chat.ask("write")
    chat.streaming("Second")
    chat.answer.get_by_text("First paragraph").evaluate("element => { element.mine = true; }")
    gates[0].set()
    chat.answered()
    assert chat.answer.get_by_text("First paragraph").evaluate("element => element.mine") is True


def test_the_view_follows_an_answer_while_it_is_at_the_end(serve_model, model, visit, gates):
    model.script(sends(*paragraphs(0, 30), gates[0], *paragraphs(30, 60), ended()))
    chat = visit(serve_model())
    chat.ask("write a lot")
    chat.streaming("Paragraph 29")
    chat.until("document.documentElement.scrollTop > 200")
    chat.at_end()
    gates[0].set()
    chat.answered()
    chat.at_end()
    expect(chat.answer.get_by_text("Paragraph 59")).to_be_in_viewport()
    expect(chat.to_end).to_be_hidden()


def test_a_view_that_was_scrolled_up_stays_put_and_the_arrow_leads_back(serve_model, model, visit, gates):
    model.script(sends(*paragraphs(0, 40), gates[0], *paragraphs(40, 80), gates[1], "End.", ended()))
    chat = visit(serve_model())
    chat.ask("write a lot")
    chat.streaming("Paragraph 39")
    chat.until("document.documentElement.scrollTop > 400")
    chat.at_end()
    expect(chat.to_end).to_be_hidden()
    chat.wheel_up(600)
    expect(chat.to_end).to_be_visible()
    place = chat.answer.get_by_text("Paragraph 20 ")
    before, scrolled = chat.box(place), chat.scrolled()
    gates[0].set()
    chat.streaming("Paragraph 79")
    assert chat.scrolled() == scrolled
    assert chat.box(place) == before
    chat.to_end.click()
    expect(chat.answer.get_by_text("Paragraph 79")).to_be_in_viewport()
    expect(chat.to_end).to_be_hidden()
    expect(chat.field).to_be_focused()
    gates[1].set()
    chat.answered()
    expect(chat.answer.get_by_text("End.")).to_be_in_viewport()


def test_stopping_an_answer_does_not_move_the_view(serve_model, model, visit, gates):
    model.script(sends(*paragraphs(0, 40), gates[0], ended()))
    chat = visit(serve_model())
    chat.ask("write a lot")
    chat.streaming("Paragraph 39")
    chat.at_end()
    chat.wheel_up(600)
    expect(chat.to_end).to_be_visible()
    before = chat.scrolled()
    chat.stop_button.click()
    chat.answered("stopped")
    expect(chat.field).to_be_focused()
    assert chat.scrolled() == before


def test_sending_leads_to_the_end_again(serve_model, model, visit):
    model.script(sends(*paragraphs(0, 60), ended()))
    chat = visit(serve_model())
    chat.asked("write a lot")
    chat.at_end()
    chat.wheel_up(800)
    expect(chat.to_end).to_be_visible()
    chat.asked("and now?")
    expect(chat.answer).to_be_in_viewport()
    expect(chat.to_end).to_be_hidden()


def test_who_chose_so_is_not_taken_along_by_an_answer(serve_model, model, visit, gates):
    model.script(sends(*paragraphs(0, 3), gates[0], *paragraphs(3, 60), ended()))
    chat = visit(serve_model(), "/apps/settings/")
    chat.page.get_by_label("Stay where I am").check()
    chat.page.get_by_role("button", name="Save for this browser").click()
    chat.open("/").ready()
    chat.ask("write a lot")
    chat.streaming("Paragraph 2")
    before = chat.scrolled()
    gates[0].set()
    chat.answered()
    assert chat.scrolled() == before
    expect(chat.to_end).to_be_visible()
    chat.to_end.click()
    expect(chat.answer.get_by_text("Paragraph 59")).to_be_in_viewport()
