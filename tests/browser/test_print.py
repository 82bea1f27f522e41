"""A printed conversation: text without buttons, on white, with no code cut off."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.scripted_server import refuses, says

pytestmark = pytest.mark.browser

LINE = "x = " + " + ".join(f"number_{number}" for number in range(60))


def test_the_printed_page_is_the_conversation_alone(serve_model, model, visit):
    model.script(says(f"Look:\n\n```python\n{LINE}\n```\n\nThe end."))
    chat = visit(serve_model(), color_scheme="dark")
    chat.asked("write a long line")
    code = chat.answer.locator("pre")
    assert code.evaluate("code => code.scrollWidth > code.clientWidth")
    chat.page.emulate_media(media="print", color_scheme="dark")
    for hidden in (chat.field, chat.sessions_button, chat.page.get_by_role("button")):
        for one in hidden.all():
            expect(one).to_be_hidden()
    expect(chat.questions.last).to_be_visible()
    expect(chat.answer.get_by_text("The end.")).to_be_visible()
    assert code.evaluate("code => code.scrollWidth <= code.clientWidth")
    ink = chat.answer.evaluate("element => getComputedStyle(element).color")
    assert sum(int(part) for part in ink.removeprefix("rgb(").removesuffix(")").split(",")) < 200


def test_a_wide_table_and_a_failure_are_printed_without_what_is_pressed(serve_model, model, visit):
    row = "|" + "some words |" * 9
    model.script(says(f"{row}\n|{'---|' * 9}\n{row}"), refuses(401))
    chat = visit(serve_model(), viewport={"width": 768, "height": 800})
    chat.asked("write a wide table")
    chat.ask("fail")
    chat.answered("failed")
    table = chat.answers.first.locator(".table")
    assert table.evaluate("table => table.scrollWidth > table.clientWidth")
    chat.page.emulate_media(media="print")
    assert table.evaluate("table => table.scrollWidth <= table.clientWidth")
    expect(chat.answers.last.locator(".problem p")).to_be_visible()
    expect(chat.page.get_by_role("link")).to_have_count(0)
