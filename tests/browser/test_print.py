"""A printed conversation: text without buttons, on white, with no code cut off."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.scripted_server import refuses, says

pytestmark = pytest.mark.browser

LINE = "x = " + " + ".join(f"number_{number}" for number in range(60))
LONG_WORD = "https://example.org/" + "x" * 300
PAPER = {"width": 718, "height": 1000}
"""A4 within margins of 1 cm, in CSS pixels."""

LINES = """cell => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  return new Set([...range.getClientRects()].map(({ top }) => top)).size;
}"""


def table(columns):
    return "\n".join(["|" + " some value |" * columns, "|" + "---|" * columns, *["|" + " some value |" * columns] * 3])


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


@pytest.fixture(params=["page", "export"])
def printed(request, serve_model, model, visit):
    """Prints an answer: as the page, and as the file of the HTML export."""

    def render(text):
        model.script(says(text))
        chat = visit(serve_model(), viewport=PAPER)
        chat.asked("write something for paper")
        if request.param == "export":
            url = chat.page.url.partition("#")[0]
            exported = chat.page.request.get(f"{url}/export?format=html").text()
            page = chat.page.context.new_page()
            page.set_content(exported)
            return page
        return chat.page

    return render


@pytest.mark.parametrize("columns", [4, 12, 24])
def test_a_table_of_many_columns_fits_and_breaks_no_word_needlessly(printed, columns):
    page = printed(table(columns))
    cell = page.locator("td").last
    # A scroll bar below whole words, not a column of letters.
    assert cell.bounding_box()["height"] < 70
    page.emulate_media(media="print")
    box = page.locator(".table")
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert box.evaluate("box => box.getBoundingClientRect().right <= innerWidth")
    assert cell.evaluate(LINES) <= 3


def test_a_long_column_leaves_the_short_ones_whole(printed):
    page = printed(f"| id | what |\n|---|---|\n| number | {'some words ' * 60} |")
    for media in ("screen", "print"):
        page.emulate_media(media=media)
        short = page.locator("td").first
        assert short.evaluate(LINES) == 1


def test_a_long_word_in_code_is_not_cut_off(printed):
    page = printed(f"```bash\ncurl {LONG_WORD}\n```")
    page.emulate_media(media="print")
    code = page.locator("pre")
    assert code.evaluate("code => code.scrollWidth <= code.clientWidth")


def test_the_address_of_a_link_is_printed_once(printed):
    page = printed("See [the docs](https://example.org/docs), https://example.org/plain and <ada@example.org>.")
    page.emulate_media(media="print")
    behind = "link => getComputedStyle(link, '::after').content"
    links = page.locator('a[href*="example.org"]')
    assert [link.evaluate(behind) for link in links.all()] == ['" (https://example.org/docs)"', "none", "none"]


def test_what_is_folded_in_an_answer_is_printed(printed):
    page = printed("<details><summary>More</summary>\n\nHidden text\n\n</details>")
    page.emulate_media(media="print")
    expect(page.get_by_text("Hidden text")).to_be_visible()


def test_the_files_of_an_exported_message_are_printed(serve_model, model, visit):
    model.script(says("Read."))
    chat = visit(serve_model()).ready()
    chat.page.set_input_files("#files", [{"name": "notes.md", "mimeType": "text/markdown", "buffer": b"Line of notes"}])
    chat.asked("read this")
    url = chat.page.url.partition("#")[0]
    page = chat.page.context.new_page()
    page.set_content(chat.page.request.get(f"{url}/export?format=html").text())
    expect(page.get_by_text("Line of notes")).to_be_hidden()
    page.emulate_media(media="print")
    expect(page.get_by_text("Line of notes")).to_be_visible()


def test_a_formula_is_not_cut_by_the_end_of_a_sheet(printed):
    page = printed("\\[\\frac{a}{b}\\]")
    page.emulate_media(media="print")
    assert page.locator(".formula").evaluate("formula => getComputedStyle(formula).breakInside") == "avoid"
