"""A page that is reloaded while an answer is being written shows the text so far and goes on."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.scripted_server import ended, sends

pytestmark = pytest.mark.browser


def test_a_reload_shows_what_there_is_and_goes_on_to_the_whole_text(serve_model, model, visit, gates):
    model.script(sends("one", " two", gates[0], " three", ended()))
    chat = visit(serve_model())
    chat.ask("count")
    chat.streaming("one two")
    chat.page.reload()
    assert chat.texts() == ["count", "one two"]
    gates[0].set()
    chat.answered()
    assert chat.texts() == ["count", "one two three"]


def test_blocks_of_an_answer_are_neither_doubled_nor_lost_by_a_reload(serve_model, model, visit, gates):
    text = [f"Paragraph {number}.\n\n" for number in range(6)]
    code = "```python\nx = 1\n", "y = 2\n", "```\n\n"
    model.script(sends(*text[:3], *code[:1], gates[0], *code[1:], *text[3:], ended()))
    chat = visit(serve_model())
    chat.ask("write")
    chat.streaming("x = 1")
    chat.page.reload()
    chat.streaming("x = 1")
    gates[0].set()
    chat.answered()
    assert chat.answer.locator("p").all_inner_texts() == [line.strip() for line in text]
    expect(chat.answer.locator("code")).to_have_text("x = 1\ny = 2\n")


def test_an_answer_that_ends_while_the_page_is_away_is_whole_when_it_comes_back(serve_model, model, visit, gates):
    model.script(sends("one ", gates[0], "two ", "three", ended()))
    chat = visit(serve_model())
    chat.ask("count")
    chat.streaming("one")
    address = chat.page.url
    chat.page.goto("about:blank")
    gates[0].set()
    chat.page.goto(address)
    chat.answered()
    assert chat.texts() == ["count", "one two three"]
