"""The whole journey by keyboard: ask, start another session, come back, stop."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.past import sessions_from_before
from tests.scripted_server import ended, says, sends

pytestmark = pytest.mark.browser


def tab_to(chat, target, key="Tab") -> None:
    """Press Tab until the focus is there; a person would give up after thirty times."""
    for _ in range(30):
        chat.page.keyboard.press(key)
        if target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError("the focus never came there")


def test_everything_can_be_done_without_a_mouse(serve_model, model, visit, gates):
    model.script(says("Red ones."), sends("Green", gates[0], " ones.", ended()), says("Blue ones."))
    chat = visit(serve_model())
    keyboard = chat.page.keyboard
    keyboard.type("apples")
    keyboard.press("Enter")
    chat.answered()

    tab_to(chat, chat.sessions_button, "Shift+Tab")
    keyboard.press("Enter")
    expect(chat.rows).to_have_count(1)
    keyboard.press("ArrowDown")
    expect(chat.panel.get_by_role("button", name="+ New")).to_be_focused()
    keyboard.press("Enter")
    expect(chat.note).to_contain_text("New session started")
    expect(chat.field).to_be_focused()

    keyboard.type("pears")
    keyboard.press("Enter")
    chat.streaming("Green")
    tab_to(chat, chat.stop_button)
    keyboard.press("Enter")
    chat.answered("stopped")
    expect(chat.field).to_be_focused()

    tab_to(chat, chat.sessions_button, "Shift+Tab")
    keyboard.press("Enter")
    expect(chat.rows).to_have_count(2)
    tab_to(chat, chat.rows.filter(has_text="apples"))
    keyboard.press("Enter")
    expect(chat.page).to_have_title("apples · Amplifier")
    expect(chat.field).to_be_focused()
    keyboard.type("plums")
    keyboard.press("Enter")
    expect(chat.messages).to_have_count(4)
    chat.answered()
    assert chat.texts() == ["apples", "Red ones.", "plums", "Blue ones."]


def test_what_has_the_focus_is_seen_to_have_it(serve, visit):
    chat = visit(serve())
    chat.page.keyboard.press("Shift+Tab")
    for _ in range(6):
        outlined = chat.page.evaluate(
            "() => { const style = getComputedStyle(document.activeElement); return style.outlineStyle !== 'none'; }"
        )
        assert outlined, chat.page.evaluate("document.activeElement.outerHTML")
        chat.page.keyboard.press("Shift+Tab")


def test_the_first_tab_stop_leads_past_the_header(serve, visit):
    chat = visit(serve())
    skip = chat.page.get_by_role("link", name="Skip to the message field")
    tab_to(chat, skip, "Shift+Tab")
    expect(skip).to_be_in_viewport()
    chat.page.keyboard.press("Enter")
    expect(chat.field).to_be_focused()


def test_a_screen_reader_is_told_that_an_answer_has_ended_and_not_each_word(serve_model, model, visit, gates):
    model.script(sends("one", gates[0], " two", gates[1], " three", ended()))
    chat = visit(serve_model())
    chat.page.evaluate(
        """() => {
          window.said = [];
          const announcer = document.getElementById("announcer");
          new MutationObserver(() => window.said.push(announcer.textContent)).observe(announcer, {childList: true});
        }"""
    )
    chat.ask("count")
    for gate, words in ((gates[0], "one"), (gates[1], "one two")):
        chat.streaming(words)
        chat.until("window.said.includes('Answering')")
        gate.set()
    chat.until("window.said.includes('Answer finished')")
    told = [text for text in chat.page.evaluate("window.said") if not text.startswith("New session")]
    assert told == ["Answering", "Answer finished"]
    expect(chat.page.get_by_role("log")).to_have_attribute("aria-live", "off")


def press(chat, target) -> None:
    target.focus()
    chat.page.keyboard.press("Enter")


def test_the_focus_stays_where_something_was_done_with_a_session(serve, visit, home):
    sessions_from_before(home, "apples", "pears", "plums")
    chat = visit(serve()).ready()
    expect(chat.field).to_be_focused()
    chat.page.keyboard.press("Control+k")
    expect(chat.rows).to_have_count(3)
    manage = chat.page.get_by_role("button", name="Rename, pin, archive or delete apples")
    row = chat.rows.filter(has_text="apples")

    press(chat, manage)
    press(chat, chat.page.get_by_role("menuitem", name="Rename"))
    press(chat, chat.panel.get_by_role("link", name="Cancel"))
    expect(chat.panel.locator(":focus")).to_have_count(1)
    press(chat, manage)
    press(chat, chat.page.get_by_role("menuitem", name="Rename"))
    expect(chat.page.get_by_role("textbox", name="Title")).to_be_focused()
    chat.page.keyboard.type("apples and more")
    chat.page.keyboard.press("Enter")
    expect(row).to_be_focused()
    press(chat, manage)
    press(chat, chat.page.get_by_role("menuitem", name="Pin"))
    expect(row).to_be_focused()
    press(chat, manage)
    press(chat, chat.page.get_by_role("menuitem", name="Delete"))
    expect(chat.rows).to_have_count(2)
    expect(chat.rows.first).to_be_focused()
    press(chat, chat.page.get_by_role("button", name="Undo"))
    expect(chat.rows).to_have_count(3)
    expect(chat.page.locator("#sessionSearch")).to_be_focused()
    chat.page.keyboard.press("Escape")
    expect(chat.field).to_be_focused()


def test_the_focus_stays_where_an_option_was_chosen_or_a_memory_deleted(serve_model, visit):
    chat = visit(serve_model())
    chat.asked("remember this: tea is green")
    options = chat.page.get_by_title("Model and system prompt of this session")
    press(chat, options)
    chat.page.get_by_label("Model").fill("another")
    chat.page.keyboard.press("Enter")
    expect(options).to_contain_text("another")
    expect(options).to_be_focused()
    chat.open("/apps/settings/").ready()
    press(chat, chat.page.get_by_role("button", name="Delete mem-001"))
    expect(chat.page.get_by_role("button", name="Undo mem-001")).to_be_focused()


def test_the_focus_stays_where_another_answer_arrives_in_the_middle_of_a_swap(serve_model, visit):
    chat = visit(serve_model())
    chat.asked("hello there")
    options = chat.page.get_by_title("Model and system prompt of this session")
    # As the models' names do, which the field below requests: between the fragment's arrival and the end of its swap.
    chat.page.evaluate("""() => new MutationObserver((changes, observer) => {
        observer.disconnect();
        htmx.swap({ text: "<option>late", target: "#controlsSaved", swap: "innerHTML", sourceElement: document.body });
    }).observe(document.getElementById("composer"), { childList: true })""")
    press(chat, options)
    chat.page.get_by_label("System prompt").fill("Be brief.")
    chat.page.keyboard.press("Tab")
    chat.page.keyboard.press("Enter")
    expect(chat.page.locator("#controlsSaved")).to_have_text("late")
    expect(options).to_be_focused()


RING = """focused => {
  const { left, right, top, bottom } = focused.getBoundingClientRect();
  const offset = parseFloat(getComputedStyle(focused).outlineOffset) + 1;
  const middle = (left + right) / 2;
  return [top - offset, bottom + offset].every((y) => focused.contains(document.elementFromPoint(middle, y)));
}"""
"""Whether the upper and the lower edge of an element's focus ring are on itself, where nothing covers them."""


def test_nothing_covers_the_ring_of_a_row_or_of_code(serve_model, model, visit):
    model.script(says(f"```\n{'code ' * 100}\n```"))
    chat = visit(serve_model())
    chat.asked("hello")
    code = chat.answer.locator("pre")
    code.focus()
    expect(code).to_be_focused()
    assert code.evaluate(RING)
    chat.page.keyboard.press("Control+k")
    expect(chat.rows.first).to_be_visible()
    chat.page.keyboard.press("Tab")
    expect(chat.rows.first).to_be_focused()
    assert chat.rows.first.evaluate(RING)
