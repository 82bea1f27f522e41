"""On a phone, 390 px wide: nothing scrolls sideways, and everything can be tapped with a thumb."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.past import sessions_from_before
from tests.other_programs import Programs, claude_rows, codex_rows
from tests.scripted_server import delta, ended, refuses, says, sends

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
ANSWER = f"""Look:

```python
{"x = 'a long line of code' + " * 20}''
```

| {" | ".join(f"column {number}" for number in range(12))} |
|{"---|" * 12}
| {" | ".join(f"value-{number}" for number in range(12))} |

{"W" * 500}

https://example.org/{"path/" * 60}

> > > {"quoted" * 40}

- [ ] {"- " * 40}{"item" * 60}
"""
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  const wide = [...document.querySelectorAll("body *")].filter((element) => {
    const box = element.getBoundingClientRect();
    const scrolls = element.parentElement.closest(".code pre, .table, .visually-hidden");
    return !scrolls && box.width && (box.right > width + 1 || box.left < -1);
  });
  return {
    sideways: document.documentElement.scrollWidth - innerWidth,
    viewport: Math.round(visualViewport.width),
    wide: wide.map((element) => element.outerHTML.slice(0, 80)),
  };
}"""
SMALL = """() => [...document.querySelectorAll("a[href], button, input, summary, select, textarea")]
  .filter((element) => element.checkVisibility({visibilityProperty: true}))
  .filter((element) => !element.closest(".content p, .task-list-item, .visually-hidden, .skip"))
  .map((element) => element.closest("label") ?? element)
  .map((element) => [element.outerHTML.slice(0, 70), element.getBoundingClientRect()])
  .filter(([, box]) => box.width && (box.height < 43.5 || box.width < 43.5))
  .map(([html, box]) => `${html} ${box.width} x ${box.height}`)"""


def fits(chat) -> None:
    found = chat.page.evaluate(TOO_WIDE)
    assert found == {"sideways": 0, "viewport": 390, "wide": []}


def can_be_hit(chat) -> None:
    assert chat.page.evaluate(SMALL) == []


def test_the_welcome_fits(serve, visit):
    chat = visit(serve(), **PHONE)
    expect(chat.page.locator("button.example")).to_have_count(3)
    fits(chat)
    can_be_hit(chat)


def test_an_answer_fits_whatever_is_in_it(serve_model, model, visit):
    model.script(says(ANSWER))
    chat = visit(serve_model(), **PHONE)
    chat.field.fill("Q" * 500)
    chat.send_button.tap()
    chat.answered()
    fits(chat)
    can_be_hit(chat)
    code = chat.answer.locator(".code pre")
    assert code.evaluate("pre => pre.scrollWidth > pre.clientWidth")
    assert chat.answer.locator(".table").evaluate("table => table.scrollWidth > table.clientWidth")


def test_an_answer_that_is_being_written_fits(serve_model, model, visit, gates):
    model.script(sends("W" * 500 + " and words" * 30, gates[0], ended()))
    chat = visit(serve_model(), **PHONE)
    chat.field.fill("hello")
    chat.send_button.click()  # a quick tap on Stop after one on Send would be the second half of a double tap
    chat.streaming("and words")
    fits(chat)
    can_be_hit(chat)
    chat.stop_button.tap()
    chat.answered("stopped")
    fits(chat)
    can_be_hit(chat)


def test_what_stands_around_an_answer_fits(serve_model, model, visit):
    thought = sends(delta(reasoning_content="Let me think."), "one ", ended())
    model.script(thought, refuses(500), thought)
    chat = visit(serve_model(), **PHONE)
    chat.field.fill("hello")
    chat.send_button.tap()
    chat.answered()
    chat.page.get_by_role("button", name="Ask for another answer").tap()
    chat.answered("failed")
    fits(chat)
    can_be_hit(chat)
    chat.page.get_by_role("button", name="Try again").tap()
    chat.answered()
    expect(chat.page.locator(".siblings")).to_have_text("‹3 / 3")
    fits(chat)
    can_be_hit(chat)
    chat.page.set_input_files("#files", [{"name": "W" * 90 + ".txt", "mimeType": "text/plain", "buffer": b"x"}])
    fits(chat)
    can_be_hit(chat)


def test_another_version_further_up_is_reached_with_a_finger(serve_model, model, visit):
    model.script(says("one"), says("two"), says("three"))
    chat = visit(serve_model(), **PHONE).ready()
    chat.field.fill("hello")
    chat.send_button.tap()
    chat.answered()
    chat.page.get_by_role("button", name="Ask for another answer").tap()
    expect(chat.answer).to_have_text("two")
    chat.answered()
    chat.field.fill("go on")
    chat.send_button.tap()
    expect(chat.questions).to_have_count(2)
    chat.answered()
    fits(chat)
    can_be_hit(chat)
    # Rarely used buttons are still shown below the last message only.
    expect(chat.answers.first.get_by_role("button", name="Go on from here in a new session")).to_be_hidden()
    chat.answers.first.get_by_role("button", name="Show the previous version").tap()
    expect(chat.page.locator("article .content")).to_have_text(["hello", "one"])


def test_a_list_of_a_thousand_keeps_its_numbers_on_the_page(serve_model, model, visit):
    model.script(says("".join(f"{number}. line\n" for number in range(1, 1201))))
    chat = visit(serve_model(), **PHONE)
    chat.field.fill("hello")
    chat.send_button.tap()
    chat.answered()
    # A number is outside its line's box: it has only the space that is kept free before it.
    left = chat.answer.locator("li").last.bounding_box()["x"]
    assert left >= 60


def test_a_session_is_managed_on_a_page_that_fits(serve, visit, home):
    sessions_from_before(home, "many words " * 20)
    chat = visit(serve(), "/sessions", **PHONE)
    chat.page.locator("a.manage").first.tap()
    expect(chat.page.get_by_role("textbox", name="Title")).to_be_visible()
    fits(chat)
    can_be_hit(chat)


def test_without_javascript_the_file_field_has_its_own_line(serve, visit):
    chat = visit(serve(), java_script_enabled=False, **PHONE)
    field, files = chat.field.bounding_box(), chat.page.locator("#files").bounding_box()
    assert files["y"] >= field["y"] + field["height"]
    assert files["x"] + files["width"] <= 390


def test_the_dropdown_takes_the_whole_width(serve, visit, home):
    sessions_from_before(home, "short", "W" * 300, "many words " * 30)
    chat = visit(serve(), **PHONE)
    chat.open_sessions()
    expect(chat.rows).to_have_count(3)
    assert chat.panel.bounding_box()["width"] == 390
    fits(chat)
    can_be_hit(chat)


@pytest.mark.parametrize("path", ["/apps/settings/", "/sessions", "/sessions/nobody"])
def test_the_pages_beside_the_chat_fit(serve, visit, home, path):
    sessions_from_before(home, "W" * 300)
    chat = visit(serve(), path, **PHONE)
    chat.page.request.post(f"{chat.base}/messages", form={"message": "remember this: " + "W" * 300})
    chat.open(path)
    fits(chat)
    can_be_hit(chat)


def test_the_header_fits_with_a_long_name(serve, visit, home):
    sessions_from_before(home, "hello")
    chat = visit(serve("--backend", "mock", "--title", "The assistant of our whole department"), **PHONE)
    fits(chat)
    expect(chat.sessions_button).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("width", [1200, 700])
def test_a_long_title_leaves_room_for_the_name(serve, visit, home, width):
    sessions_from_before(home, "many words " * 25)
    chat = visit(serve("--backend", "mock"), viewport={"width": width, "height": 800}).ready()
    name = chat.page.locator("a.home")
    assert name.evaluate("name => name.scrollWidth <= name.clientWidth")
    expect(chat.page.locator("#badge .name")).to_be_in_viewport()
    expect(chat.page.get_by_role("link", name="Settings")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("height", [400, 300])
def test_a_rows_menu_is_whole_on_a_magnified_page(serve, visit, home, height):
    """A window of 1200 by 800 pixels at 200 %, and a lower one."""
    sessions_from_before(home, *(f"title {number}" for number in range(8)))
    chat = visit(serve("--backend", "mock"), viewport={"width": 600, "height": height}).ready()
    chat.open_sessions()
    for row in (chat.panel.locator("li").first, chat.panel.locator("li").nth(3)):
        row.locator(".manage").press("Enter")
        for name in ("Rename", "Delete"):
            item = chat.page.get_by_role("menu").get_by_role("menuitem", name=name)
            item.focus()
            expect(item).to_be_in_viewport(ratio=1)
        chat.page.keyboard.press("Escape")


def test_chips_in_two_lines_do_not_touch(serve, visit, home, tmp_path, monkeypatch):
    programs = Programs(tmp_path)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(programs.claude))
    monkeypatch.setenv("CODEX_HOME", str(programs.codex))
    programs.claude_session(claude_rows(programs))
    programs.codex_session(codex_rows(programs))
    sessions_from_before(home, "ours")
    chat = visit(serve("--backend", "mock"), "/sessions", **{**PHONE, "viewport": {"width": 250, "height": 844}})
    boxes = [chip.bounding_box() for chip in chat.page.locator(".chip").all()]
    tops = sorted({box["y"] for box in boxes})
    assert len(tops) > 1
    assert tops[1] - tops[0] >= boxes[0]["height"] + 4


def test_what_stands_in_a_row_is_alike(serve, visit, home):
    sessions_from_before(home, "apples")
    chat = visit(serve("--backend", "mock"), "/sessions", **PHONE)
    chat.page.get_by_text("Delete all").click()
    tops = [button.bounding_box()["y"] for button in chat.page.locator("#several > button, #several summary").all()]
    assert len(set(tops)) == 1
    chat.page.locator("a.manage").click()
    buttons = chat.page.locator(".choices").get_by_role("link").or_(chat.page.locator(".choices button"))
    expect(buttons).to_have_count(6)
    assert {button.bounding_box()["height"] for button in buttons.all()} == {44}
