"""Unsent text is kept, separately for each session."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture
def chat(serve, visit):
    return visit(serve("--backend", "mock", "--mock-delay", "0"))


def test_a_draft_survives_a_reload_and_a_closed_tab(chat):
    chat.asked("hello")
    chat.field.fill("half a tho")
    chat.page.reload()
    expect(chat.field).to_have_value("half a tho")
    other = chat.tab()
    chat.page.close()
    expect(other.field).to_have_value("half a tho")


def test_each_session_has_a_draft_of_its_own(chat):
    chat.field.fill("for the welcome")
    chat.page.reload()
    expect(chat.field).to_have_value("for the welcome")
    chat.asked("hello")
    expect(chat.field).to_have_value("")
    chat.field.fill("for the first")
    first = chat.page.url
    chat.new_session()
    expect(chat.field).to_have_value("")
    chat.page.goto(first)
    expect(chat.field).to_have_value("for the first")


def test_what_was_sent_is_no_draft_any_more(chat):
    chat.asked("hello")
    chat.asked("again")
    chat.page.reload()
    expect(chat.field).to_have_value("")


def test_what_was_refused_stays_a_draft(serve, visit):
    server = serve("--backend", "mock", "--mock-delay", "0")
    chat = visit(server)
    chat.asked("hello")
    server.kill()
    chat.ask("are you there?")
    expect(chat.problem).to_contain_text("did not answer")
    again = serve("--backend", "mock", "--mock-delay", "0", "--port", chat.base.rpartition(":")[2])
    assert again.url == chat.base
    chat.page.reload()
    expect(chat.field).to_have_value("are you there?")


@pytest.mark.parametrize("first", [True, False], ids=["first message", "further message"])
def test_what_is_typed_while_a_message_is_on_its_way_stays(chat, first):
    if not first:
        chat.asked("hello")
    held = []
    chat.page.route("**/messages", lambda route: held.append(route))
    chat.ask("one")
    chat.wait_for(held)
    chat.field.press_sequentially(" and two")
    assert chat.field.input_value() == "one and two"
    held[0].continue_()
    chat.page.unroute("**/messages")
    chat.answered()
    expect(chat.questions.last.locator(".content")).to_have_text("one")
    expect(chat.field).to_have_value(" and two")
    chat.page.reload()
    expect(chat.field).to_have_value(" and two")


@pytest.fixture
def late(chat):
    """Ask "one"; its answer arrives by the stream, and the form's response, if at all, when the returned function is
    called.
    """

    def ask_one():
        chat.asked("hello")
        arrive = chat.ask_late("one")
        expect(chat.questions).to_have_count(2)
        chat.answered()
        return arrive

    return ask_one


def test_what_the_stream_has_shown_is_no_draft_after_a_reload(chat, late):
    late()
    expect(chat.field).to_have_value("one")
    chat.page.reload()
    expect(chat.field).to_have_value("")
    chat.asked("two")
    expect(chat.questions.locator(".content")).to_have_text(["hello", "one", "two"])


def test_what_was_typed_behind_it_is_a_draft_after_a_reload(chat, late):
    late()
    chat.field.press_sequentially(" and two")
    chat.page.reload()
    expect(chat.field).to_have_value(" and two")
    chat.field.press("Enter")
    expect(chat.questions.locator(".content")).to_have_text(["hello", "one", "and two"])


def test_a_message_that_is_on_the_page_has_not_failed(chat, late):
    arrive = late()
    arrive(is_lost=True)
    expect(chat.field).to_have_value("")
    expect(chat.problem).to_be_empty()
    chat.asked("two")
    expect(chat.questions.locator(".content")).to_have_text(["hello", "one", "two"])


@pytest.fixture
def reloaded(chat):
    """Ask "one", and reload the page before that is sent; calling the returned function sends it."""
    held = []
    chat.asked("hello")
    chat.page.route("**/messages", lambda route: held.append(route), times=1)
    chat.ask("one")
    chat.wait_for(held)
    chat.page.reload()
    expect(chat.field).to_have_value("one")
    return held[0].fetch


def test_what_comes_after_a_reload_is_no_draft_any_more(chat, reloaded):
    reloaded()
    expect(chat.questions).to_have_count(2)
    expect(chat.field).to_have_value("")
    chat.answered()
    chat.asked("one")
    expect(chat.questions.locator(".content")).to_have_text(["hello", "one", "one"])


def test_sent_again_after_a_reload_it_is_one_message(chat, reloaded):
    chat.field.press("Enter")
    expect(chat.questions).to_have_count(2)
    chat.answered()
    assert reloaded().ok
    chat.asked("two")
    expect(chat.questions.locator(".content")).to_have_text(["hello", "one", "two"])


def test_what_was_changed_after_a_reload_is_another_message(chat, reloaded):
    chat.field.press_sequentially(" more")
    reloaded()
    expect(chat.questions).to_have_count(2)
    chat.answered()
    expect(chat.field).to_have_value("one more")
    chat.asked("one more")
    expect(chat.questions.locator(".content")).to_have_text(["hello", "one", "one more"])


def test_what_was_typed_before_an_example_was_chosen_stays(chat):
    chat.field.fill("half a tho")
    chat.page.locator("button.example").first.click()
    chat.answered()
    expect(chat.field).to_have_value("half a tho")
    chat.page.reload()
    expect(chat.field).to_have_value("half a tho")


ENTER_AT_ONCE = """text => {
  window.isSamePage = true;
  const before = document.getElementById("messageInput");
  const enter = () => {
    const field = document.getElementById("messageInput");
    if (field === before) return;
    document.removeEventListener("htmx:before:settle", enter);
    field.value += text;
    field.dispatchEvent(new InputEvent("input", {bubbles: true}));
    field.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true}));
  };
  document.addEventListener("htmx:before:settle", enter);
}"""


@pytest.mark.parametrize("first", [True, False], ids=["first message", "further message"])
def test_enter_in_a_field_that_has_just_come_waits_for_htmx(chat, first):
    if not first:
        chat.asked("hello")
    chat.open_sessions()
    chat.page.evaluate(ENTER_AT_ONCE, "at once")
    chat.panel.get_by_role("button", name="+ New").click()
    expect(chat.questions.locator(".content")).to_have_text(["at once"])
    chat.answered()
    expect(chat.field).to_have_value("")
    assert chat.page.evaluate("window.isSamePage")


def test_a_draft_is_there_before_the_first_letter_can_be_typed(chat):
    chat.asked("hello")
    chat.field.fill("kept")
    first = chat.page.url
    chat.new_session()
    chat.open_sessions()
    chat.page.evaluate(ENTER_AT_ONCE, " and sent")
    chat.rows.filter(has_text="hello").click()
    expect(chat.questions.locator(".content")).to_have_text(["hello", "kept and sent"])
    assert chat.page.url == first
    assert chat.page.evaluate("window.isSamePage")


def test_on_a_slow_machine_what_is_sent_meanwhile_follows_without_a_reload(chat, late):
    arrive = late()
    chat.page.evaluate("window.isSamePage = true")
    chat.page.context.new_cdp_session(chat.page).send("Emulation.setCPUThrottlingRate", {"rate": 20})
    chat.ask("two")
    arrive()
    expect(chat.questions).to_have_count(3)
    chat.answered()
    expect(chat.field).to_have_value("")
    assert chat.page.evaluate("window.isSamePage")


@pytest.mark.parametrize("words", ["two", "one"], ids=["other words", "the same words"])
def test_what_is_sent_while_a_message_is_on_its_way_follows_it(chat, late, words):
    arrive = late()
    chat.ask(words)
    arrive()
    expect(chat.questions).to_have_count(3)
    chat.answered()
    assert chat.texts()[4:] == [words, f"Mock response to: {words}"]
    expect(chat.field).to_have_value("")


def test_a_second_enter_says_nothing_twice(chat, late):
    arrive = late()
    chat.field.press("Enter")
    arrive()
    expect(chat.field).to_have_value("")
    # A message sent by mistake would appear before this one.
    chat.asked("two")
    expect(chat.questions.locator(".content")).to_have_text(["hello", "one", "two"])


def test_what_is_typed_after_it_was_sent_is_not_sent(chat, late):
    arrive = late()
    chat.ask("two")
    chat.field.press_sequentially(" and three")
    arrive()
    expect(chat.field).to_have_value("two and three")
    chat.field.press("Enter")
    chat.answered()
    expect(chat.questions.locator(".content")).to_have_text(["hello", "one", "two and three"])


def test_a_file_that_is_chosen_while_a_message_is_on_its_way_goes_with_the_next(chat, late):
    arrive = late()
    chat.page.locator("#files").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"apples"})
    chat.ask("two")
    arrive()
    expect(chat.questions).to_have_count(3)
    expect(chat.questions.last).to_contain_text("a.txt")
    expect(chat.page.locator("#attached")).to_be_hidden()


SAY_AT = """event => document.addEventListener(event, () => {
  const enter = () => {
    const field = document.getElementById("messageInput");
    field.value = "one";
    field.dispatchEvent(new InputEvent("input", {bubbles: true}));
    field.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true}));
  };
  // No key is pressed between the end of a swap and that of its request.
  if (event === "htmx:after:swap") setTimeout(enter); else enter();
}, {once: true})"""


@pytest.mark.parametrize("event", ["htmx:after:request", "htmx:before:swap", "htmx:after:swap"])
def test_the_same_words_while_an_answer_is_put_in_are_another_message(chat, late, event):
    arrive = late()
    chat.page.evaluate(SAY_AT, event)
    arrive()
    expect(chat.questions.locator(".content")).to_have_text(["hello", "one", "one"])
    chat.answered()
    expect(chat.field).to_have_value("")


def test_the_same_words_twice_in_a_row_are_two_messages(chat):
    for _ in range(2):
        chat.asked("hello")
        chat.asked("one")
    expect(chat.questions.locator(".content")).to_have_text(["hello", "one", "hello", "one"])


def test_a_message_leaves_the_field_in_its_place(chat):
    chat.asked("hello")
    chat.page.evaluate("window.field = document.activeElement")
    chat.asked("one")
    expect(chat.field).to_have_value("")
    assert chat.page.evaluate("window.field === document.activeElement && window.field.id === 'messageInput'")


def test_a_failure_is_said_before_anybody_knows_why(chat):
    chat.asked("hello")
    chat.page.route("**/messages", lambda route: route.abort(), times=1)
    held = []
    chat.page.route(chat.page.url, lambda route: held.append(route))
    chat.ask("one")
    expect(chat.problem).to_contain_text("did not answer")
    chat.wait_for(held)
    assert held[0].request.method == "HEAD"
    expect(chat.field).to_have_value("one")


def test_a_failure_is_not_said_any_more_when_its_message_is_there(chat):
    chat.asked("hello")
    chat.page.route("**/messages", lambda route: route.abort(), times=1)
    chat.ask("one")
    expect(chat.problem).to_contain_text("did not answer")
    key = chat.page.locator("#composer [name=key]").input_value()
    chat.page.request.post(f"{chat.page.url}/messages", form={"message": "one", "key": key})
    expect(chat.questions.locator(".content")).to_have_text(["hello", "one"])
    expect(chat.field).to_have_value("")
    expect(chat.problem).to_be_empty()


@pytest.mark.parametrize("first", [True, False], ids=["first message", "further message"])
def test_what_was_sent_without_htmx_is_no_draft_any_more(chat, first):
    if not first:
        chat.asked("hello")
    chat.page.route("**/htmx-*", lambda route: route.abort())
    chat.page.reload()
    assert chat.page.evaluate("typeof htmx") == "undefined"
    chat.ask("one")
    expect(chat.questions.last.locator(".content")).to_have_text("one")
    expect(chat.field).to_have_value("")
    chat.page.unroute("**/htmx-*")
    chat.page.reload()
    expect(chat.field).to_have_value("")


def test_what_was_sent_to_a_session_that_is_gone_goes_into_a_new_one(chat):
    chat.asked("hello")
    gone = chat.page.url
    chat.page.request.post(f"{gone}/delete", headers={"Accept": "application/json"})
    chat.ask("one")
    expect(chat.problem).to_contain_text("“hello” has been deleted")
    chat.field.press_sequentially(" and two")
    chat.problem.locator("form[data-htmx-powered]").wait_for()
    chat.problem.get_by_role("button", name="New session").click()
    expect(chat.note).to_contain_text("New session")
    expect(chat.field).to_have_value("one and two")
    expect(chat.page).not_to_have_url(gone)
    chat.page.reload()
    expect(chat.field).to_have_value("one and two")
    chat.asked("three")
    expect(chat.questions.locator(".content")).to_have_text(["three"])


def test_a_change_of_a_message_stays_when_the_chat_is_drawn_anew(chat):
    chat.asked("hello")
    chat.field.fill("a draft")
    chat.questions.last.get_by_role("link", name="Edit").click()
    form = chat.page.locator("form.edit textarea")
    form.fill("hello, and more")
    chat.answers.last.get_by_role("button", name="Ask for another answer").click()
    expect(chat.page.get_by_text("2 / 2")).to_be_visible()
    expect(form).to_have_count(0)
    expect(chat.field).to_have_value("hello, and more\n\na draft")
    chat.field.fill("")
    chat.questions.last.get_by_role("link", name="Edit").click()
    form.fill("never mind")
    chat.page.get_by_role("link", name="Cancel").click()
    expect(form).to_have_count(0)
    chat.questions.last.get_by_role("link", name="Edit").click()
    form.fill("hello again")
    chat.page.locator("form.edit").get_by_role("button", name="Send").click()
    expect(chat.questions.last.locator(".content")).to_have_text("hello again")
    chat.answered()
    expect(chat.field).to_have_value("")
