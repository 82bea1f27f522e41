"""A message sent while an answer is being written waits below it, and is sent when its turn comes."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage
from tests.browser.test_files import CAT, NOTES
from tests.scripted_server import DONE, delta, ended, says, sends

pytestmark = pytest.mark.browser

WORDS = " ".join(f"w{number}" for number in range(300))


@pytest.fixture
def chat(serve_model, visit, model, gates):
    """A page on which an answer is being written, until the first gate opens."""
    model.script(sends(WORDS, gates[0], " and on", ended(), DONE))
    chat = visit(serve_model())
    chat.ask("first")
    chat.streaming("w3")
    return chat


def waiting(chat):
    return chat.page.locator(".queued")


def test_what_is_sent_meanwhile_waits_below_the_answer_and_is_sent_at_its_end(chat, model, gates):
    model.script(says("Second."), says("Third."))
    for text in ("second", "third"):
        chat.ask(text)
        expect(waiting(chat).last).to_contain_text(text)
        expect(chat.field).to_have_value("")
    expect(waiting(chat).first).to_contain_text("Waiting")
    assert waiting(chat).first.bounding_box()["y"] > chat.answers.last.bounding_box()["y"]
    gates[0].set()
    expect(chat.page.get_by_text("Third.")).to_be_visible()
    expect(waiting(chat)).to_have_count(0)
    chat.answered()
    assert chat.texts()[2:] == ["second", "Second.", "third", "Third."]


def test_with_a_text_in_the_field_send_stands_where_stop_does_without(chat):
    expect(chat.send_button).to_be_hidden()
    place = chat.stop_button.bounding_box()
    chat.field.fill("and then")
    expect(chat.stop_button).to_be_hidden()
    assert chat.send_button.bounding_box() == pytest.approx(place, abs=1)
    chat.send_button.click()
    expect(waiting(chat)).to_contain_text("and then")
    expect(chat.stop_button).to_be_visible()


def test_every_tab_shows_it(chat):
    other = chat.tab()
    chat.ask("second")
    expect(waiting(other)).to_contain_text("second")
    waiting(other).get_by_role("button", name="Take back").click()
    expect(other.field).to_have_value("second")
    expect(waiting(chat)).to_have_count(0)


def test_it_can_be_changed_where_it_stands(chat):
    chat.ask("second")
    chat.ask("third")
    first = waiting(chat).first
    first.get_by_text("Edit").click()
    first.get_by_role("textbox").fill("changed")
    chat.tab().ask("from elsewhere")
    expect(waiting(chat)).to_have_count(3)
    expect(first.get_by_role("textbox")).to_have_value("changed")
    first.get_by_role("button", name="Save").click()
    expect(first.locator(".waiting-text")).to_have_text("changed")
    chat.page.reload()
    expect(waiting(chat).locator(".waiting-text")).to_have_text(["changed", "third", "from elsewhere"])


@pytest.fixture
def changing(serve_model, visit, model, gates) -> ChatPage:
    """During an answer, a queued message is being changed; the answer ends with the gate."""
    model.script(sends("half", gates[0], ended(), DONE), says("Second."))
    chat = visit(serve_model())
    chat.ask("one")
    chat.streaming("half")
    chat.ask("second")
    waiting(chat).get_by_text("Edit").click()
    waiting(chat).get_by_role("textbox").fill("changed, but")
    chat.field.fill("typed")
    return chat


def test_a_change_that_was_not_saved_comes_into_the_field_when_the_message_is_sent(changing, gates):
    chat = changing
    gates[0].set()
    expect(chat.page.get_by_text("Second.")).to_be_visible()
    assert chat.texts()[2] == "second"
    expect(chat.field).to_have_value("changed, but\n\ntyped")
    chat.page.reload()
    expect(chat.field).to_have_value("changed, but\n\ntyped")


@pytest.mark.parametrize(
    ("answer", "when", "why"),
    [
        ("refused", "sent", "it has been sent or taken back"),
        ("lost", "waiting", "did not answer"),
        ("lost", "sent", "did not answer"),
        ("lost", "answered", "did not answer"),
    ],
)
def test_a_change_that_comes_too_late_goes_into_the_field_also_if_its_form_is_gone(changing, gates, answer, when, why):
    chat, held = changing, []
    chat.page.route(lambda url: "/queue/" in url, lambda route: held.append(route))
    waiting(chat).get_by_role("button", name="Save").click()
    chat.wait_for(held)
    if when != "waiting":
        gates[0].set()
        expect(waiting(chat)).to_have_count(0)
    if when == "answered":
        expect(chat.page.get_by_text("Second.")).to_be_visible()
        chat.answered()
        chat.page.locator("#stream").evaluate("stream => stream.remove()")  # no news comes that would bring it
    held[0].abort() if answer == "lost" else held[0].continue_()
    expect(chat.problem).to_contain_text(why)
    gates[0].set()
    expect(chat.page.get_by_text("Second.")).to_be_visible()
    expect(chat.field).to_have_value("changed, but\n\ntyped")


@pytest.mark.parametrize("keeps", [True, False])
def test_the_files_of_what_is_taken_back_go_with_it_unless_they_are_unticked(chat, keeps):
    chat.page.set_input_files("#files", [NOTES])
    chat.ask("second")
    expect(waiting(chat)).to_contain_text("notes.txt")
    expect(chat.page.locator("#attached")).to_be_hidden()
    waiting(chat).get_by_role("button", name="Take back").click()
    box = chat.page.get_by_role("checkbox", name="notes.txt")
    expect(box).to_be_checked()
    if not keeps:
        box.focus()
        chat.page.keyboard.press("Space")
        expect(box).not_to_be_checked()
    chat.ask("second, and more")
    expect(box).to_have_count(0)
    expect(waiting(chat)).to_contain_text("second, and more")
    expect(waiting(chat).get_by_text("notes.txt")).to_have_count(1 if keeps else 0)


def test_what_is_taken_back_stands_in_the_field_before_what_is_there(chat):
    chat.ask("second")
    expect(waiting(chat)).to_have_count(1)
    chat.field.fill("typed")
    waiting(chat).get_by_role("button", name="Take back").click()
    expect(chat.field).to_have_value("second\n\ntyped")
    expect(waiting(chat)).to_have_count(0)
    chat.field.fill("second, and more")
    chat.page.reload()
    expect(chat.field).to_have_value("second, and more")
    chat.stop_button.or_(chat.send_button).first.click()


def test_a_stop_gives_everything_back_once(chat):
    for text in ("second", "third"):
        chat.ask(text)
        expect(waiting(chat).last).to_contain_text(text)
    chat.stop_button.click()
    chat.answered("stopped")
    expect(chat.field).to_have_value("second\n\nthird")
    expect(waiting(chat)).to_have_count(0)
    chat.page.reload()
    expect(chat.field).to_have_value("second\n\nthird")
    chat.field.press("Enter")
    expect(chat.page.get_by_text("Hello there.")).to_be_visible()
    expect(chat.field).to_have_value("")
    chat.answered()
    chat.page.reload()
    expect(chat.field).to_have_value("")
    assert chat.texts()[2] == "second\n\nthird"


def test_after_a_failure_it_is_sent_by_hand(serve_model, visit, model, gates):
    model.script(sends(delta(content="half"), gates[0], delta(content=" an")))
    chat = visit(serve_model())
    chat.ask("one")
    chat.streaming("half")
    chat.ask("second")
    expect(waiting(chat)).to_contain_text("Waiting")
    expect(waiting(chat).get_by_role("button", name="Send this message")).to_be_hidden()
    gates[0].set()
    chat.answered("failed")
    expect(waiting(chat)).to_contain_text("Not sent")
    waiting(chat).get_by_role("button", name="Send this message").click()
    chat.answered()
    expect(waiting(chat)).to_have_count(0)
    assert chat.texts()[2:] == ["second", "Hello there."]


def test_without_a_script_all_of_it_is_done_by_forms(serve_model, visit, model, gates):
    model.script(sends(WORDS, gates[0], ended(), DONE))
    chat = visit(serve_model(), java_script_enabled=False)

    def send(text):
        chat.field.fill(text)
        chat.send_button.click()

    send("first")
    for text in ("second", "third"):
        send(text)
    expect(chat.stop_button).to_be_visible()
    expect(waiting(chat)).to_have_count(2)
    first = waiting(chat).first
    first.get_by_text("Edit").click()
    first.get_by_role("textbox").fill("changed")
    first.get_by_role("button", name="Save").click()
    expect(waiting(chat).locator(".waiting-text")).to_have_text(["changed", "third"])
    waiting(chat).last.get_by_role("button", name="Take back").click()
    expect(chat.field).to_have_value("third")
    chat.stop_button.click()
    expect(chat.field).to_have_value("changed\n\nthird")
    expect(waiting(chat)).to_have_count(0)
    chat.send_button.click()
    expect(chat.field).to_have_value("")


def test_a_picture_alone_waits_without_an_empty_bubble(chat, gates):
    chat.page.set_input_files("#files", [CAT])
    chat.field.press("Enter")
    picture = waiting(chat).locator(".pictures img")
    expect(picture).to_be_visible()
    expect(waiting(chat).locator(".waiting-text")).to_have_count(0)
    edge = chat.page.locator("#queue").evaluate("queue => queue.getBoundingClientRect().right")
    assert picture.evaluate("picture => picture.getBoundingClientRect().right") == pytest.approx(edge, abs=20)


def test_a_picture_that_was_taken_back_alone_can_be_seen_to_be_ready(chat, gates):
    chat.page.set_input_files("#files", [CAT])
    chat.field.press("Enter")
    waiting(chat).get_by_role("button", name="Take back").click()
    expect(waiting(chat)).to_have_count(0)
    gates[0].set()
    chat.answered()
    expect(chat.page.locator("#returned input[type=checkbox]")).to_be_checked()
    opacity = "button => getComputedStyle(button).opacity"
    assert chat.send_button.evaluate(opacity) == "1"
    chat.page.locator("#returned input[type=checkbox]").uncheck()
    assert chat.send_button.evaluate(opacity) != "1"
