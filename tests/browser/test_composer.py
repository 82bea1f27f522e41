"""The message field: which keys send, which break a line, and where the cursor is."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.past import sessions_from_before
from tests.scripted_server import ended, sends

pytestmark = pytest.mark.browser

QUICK = ("--backend", "mock", "--mock-delay", "0")
COMPOSING = """(field, init) => field.dispatchEvent(
  new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true, ...init})
)"""


def test_the_cursor_is_in_the_field_when_the_page_opens(serve, visit):
    expect(visit(serve(*QUICK)).field).to_be_focused()


@pytest.mark.parametrize("is_first", [True, False], ids=["first message", "later message"])
def test_the_focus_stays_where_it_went_before_the_form_was_answered(serve, visit, is_first):
    chat = visit(serve(*QUICK)).ready()
    if not is_first:
        chat.asked("Hello")
    arrive = chat.ask_late("And now?")
    if is_first:
        chat.page.locator("#sessionsButton").click()
        elsewhere = chat.page.locator("#sessionSearch")
    else:
        chat.answered()
        chat.badge.locator(".name").click()
        elsewhere = chat.page.get_by_label("Title", exact=True)
    elsewhere.press_sequentially("plu")
    arrive()
    expect(chat.field).to_have_value("")
    chat.page.keyboard.type("ms")
    expect(elsewhere).to_have_value("plums")
    expect(elsewhere).to_be_focused()


def test_shift_and_enter_break_the_line_and_enter_sends(serve, visit):
    chat = visit(serve(*QUICK))
    chat.page.keyboard.type("one")
    chat.page.keyboard.press("Shift+Enter")
    chat.page.keyboard.type("two")
    expect(chat.field).to_have_value("one\ntwo")
    expect(chat.messages).to_have_count(0)
    chat.page.keyboard.press("Enter")
    chat.answered()
    assert chat.texts()[0] == "one\ntwo"


@pytest.mark.parametrize("init", [{"isComposing": True}, {"keyCode": 229}], ids=["isComposing", "key code 229"])
def test_enter_never_sends_while_an_input_method_composes(serve, visit, init):
    chat = visit(serve(*QUICK))
    chat.field.fill("にほん")
    went_on = chat.field.evaluate(COMPOSING, init)
    assert went_on is True
    chat.page.keyboard.press("Shift+Enter")
    expect(chat.field).to_have_value("にほん\n")
    expect(chat.messages).to_have_count(0)
    chat.field.fill("日本")
    chat.page.keyboard.press("Enter")
    chat.answered()
    assert chat.texts()[0] == "日本"


def test_enter_breaks_the_line_on_a_touch_keyboard_and_the_button_sends(serve, visit):
    chat = visit(serve(*QUICK), viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    chat.field.tap()
    chat.page.keyboard.type("one")
    chat.page.keyboard.press("Enter")
    chat.page.keyboard.type("two")
    expect(chat.field).to_have_value("one\ntwo")
    expect(chat.messages).to_have_count(0)
    chat.send_button.tap()
    chat.answered()
    assert chat.texts()[0] == "one\ntwo"


def test_blanks_are_not_sent(serve, visit):
    chat = visit(serve(*QUICK))
    chat.ask("   ")
    chat.ask("something")
    chat.answered()
    assert chat.questions.count() == 1
    assert chat.texts()[0] == "something"


def test_a_double_press_sends_once(serve, visit, home):
    sessions_from_before(home, "hello")
    chat = visit(serve("--backend", "mock", "--mock-delay", "0.02"))
    chat.field.fill("once")
    chat.send_button.dblclick()
    expect(chat.messages).to_have_count(4)
    chat.answered()
    chat.asked("next")
    assert chat.questions.locator(".content").all_inner_texts() == ["hello", "once", "next"]


def test_the_field_grows_with_its_text_up_to_a_limit(serve, visit):
    chat = visit(serve(*QUICK))
    one_line = chat.field.bounding_box()["height"]
    chat.field.fill("one\ntwo\nthree")
    three_lines = chat.field.bounding_box()["height"]
    assert one_line * 1.8 < three_lines < one_line * 3.2
    chat.field.fill("line\n" * 100)
    assert chat.field.bounding_box()["height"] <= 0.4 * 800 + 1
    expect(chat.send_button).to_be_in_viewport()
    chat.ask("short")
    chat.answered()
    assert chat.field.bounding_box()["height"] == one_line


def test_the_first_keystroke_goes_into_the_field(serve, visit, home):
    sessions_from_before(home, "hello")
    chat = visit(serve(*QUICK))
    chat.answers.last.get_by_role("button", name="Copy").focus()
    chat.page.keyboard.type("hey")
    expect(chat.field).to_have_value("hey")
    chat.page.evaluate("document.activeElement.blur()")
    chat.page.keyboard.press("Control+c")
    assert chat.focused() != "messageInput"


def test_a_draft_survives_what_happens_in_the_session_meanwhile(serve, visit, home):
    sessions_from_before(home, "hello")
    chat = visit(serve(*QUICK))
    chat.page.keyboard.type("half a thought")
    chat.page.request.post(f"{chat.page.url}/messages", form={"message": "from elsewhere"})
    expect(chat.messages).to_have_count(4)
    chat.answered()
    expect(chat.field).to_have_value("half a thought")
    expect(chat.field).to_be_focused()


def test_what_is_written_while_an_answer_comes_is_kept(serve_model, model, visit, gates):
    model.script(sends("One", gates[0], " two.", ended()))
    chat = visit(serve_model())
    chat.ask("count")
    chat.streaming("One")
    chat.page.keyboard.type("the next question")
    gates[0].set()
    chat.answered()
    expect(chat.field).to_have_value("the next question")
    expect(chat.questions).to_have_count(1)
    chat.page.keyboard.press("Enter")
    expect(chat.questions).to_have_count(2)


def test_who_chose_so_sends_with_control_and_breaks_the_line_with_enter(serve, visit):
    chat = visit(serve(), "/apps/settings/")
    chat.page.get_by_label("Ctrl+Enter").check()
    chat.page.get_by_role("button", name="Save for this browser").click()
    chat.open("/").ready()
    chat.field.fill("one")
    chat.field.press("Enter")
    chat.page.keyboard.type("two")
    expect(chat.field).to_have_value("one\ntwo")
    chat.field.press("Control+Enter")
    chat.answered()
    assert chat.texts()[0] == "one\ntwo"


def test_enter_sends_a_question_that_is_edited_too_and_control_enter_saves_an_answer(serve, visit):
    chat = visit(serve(*QUICK))
    chat.asked("one")
    chat.questions.first.get_by_role("link", name="Edit").click()
    edit = chat.page.locator(".edit textarea")
    edit.fill("two")
    edit.press("Shift+Enter")
    chat.page.keyboard.type("lines")
    edit.press("Enter")
    expect(chat.answers.last).to_contain_text("Mock response to: two")
    chat.answered()
    assert chat.texts()[0] == "two\nlines"
    chat.answers.last.get_by_role("link", name="Edit").click()
    edit.fill("first")
    edit.press("Enter")
    chat.page.keyboard.type("second")
    expect(edit).to_have_value("first\nsecond")
    edit.press("Control+Enter")
    expect(edit).to_have_count(0)
    assert chat.texts()[1] == "first\nsecond"


def test_what_is_typed_follows_the_text_of_a_message_that_is_edited(serve, visit):
    chat = visit(serve(*QUICK))
    chat.asked("one")
    for message, text in ((chat.questions.first, "one"), (chat.answers.first, "Mock response to: one")):
        message.get_by_role("link", name="Edit").click()
        expect(chat.page.locator(".edit textarea")).to_be_focused()
        chat.page.keyboard.type(" and two")
        expect(chat.page.locator(".edit textarea")).to_have_value(f"{text} and two")
        chat.page.get_by_role("link", name="Cancel").click()
        expect(chat.page.locator(".edit")).to_have_count(0)


def test_escape_leaves_a_message_as_it_was_and_loses_no_text(serve, visit):
    chat = visit(serve(*QUICK))
    chat.asked("one")
    edit = chat.page.locator(".edit textarea")
    for message in (chat.questions.first, chat.answers.first):
        before = chat.texts()
        message.get_by_role("link", name="Edit").click()
        edit.press("Escape")
        expect(edit).to_have_count(0)
        message.get_by_role("link", name="Edit").click()
        edit.fill("changed")
        edit.press("Escape")
        expect(chat.page.get_by_role("link", name="Cancel")).to_be_focused()
        expect(edit).to_have_value("changed")
        chat.page.keyboard.press("Escape")
        expect(edit).to_have_value("changed")
        chat.page.keyboard.press("Enter")
        expect(edit).to_have_count(0)
        assert chat.texts() == before
        expect(chat.field).to_have_value("")


def test_escape_closes_a_queued_message_and_stops_no_answer(serve_model, model, visit, gates):
    model.script(sends("word", gates[0], ended()))
    chat = visit(serve_model())
    chat.ask("hello")
    chat.streaming("word")
    chat.ask("next")
    chat.page.locator(".edit-queued summary").click()
    edit = chat.page.locator(".edit-queued textarea")
    edit.fill("changed")
    edit.press("Escape")
    expect(edit).to_be_hidden()
    expect(chat.page.locator(".edit-queued summary")).to_be_focused()
    chat.streaming("word")
    chat.page.keyboard.press("Enter")
    expect(edit).to_have_value("changed")
    gates[0].set()
    chat.answered()


def test_enter_does_the_same_on_the_page_of_its_own(serve, visit):
    chat = visit(serve(*QUICK))
    chat.asked("one")
    chat.open(chat.answers.first.get_by_role("link", name="Edit").get_attribute("href"))
    edit = chat.page.locator(".edit textarea")
    edit.fill("first")
    edit.press("Enter")
    chat.page.keyboard.type("second")
    expect(edit).to_have_value("first\nsecond")
    edit.press("Control+Enter")
    expect(edit).to_have_count(0)
    assert chat.texts()[1] == "first\nsecond"
    chat.open(chat.questions.first.get_by_role("link", name="Edit").get_attribute("href"))
    edit.fill("two")
    edit.press("Enter")
    expect(chat.answers.last).to_contain_text("Mock response to: two")
