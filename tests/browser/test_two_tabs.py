"""Two tabs on one session both see everything as it happens; a tab elsewhere disturbs nothing."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.past import sessions_from_before
from tests.scripted_server import ended, sends

pytestmark = pytest.mark.browser


def test_both_tabs_see_question_and_answer_live_in_order_and_once(serve_model, model, visit, home, gates):
    sessions_from_before(home, "hello")
    model.script(sends("One ", "two", gates[0], " three.\n\nFour", gates[1], " five.", ended()))
    one = visit(serve_model())
    two = one.tab()
    one.ask("count")
    for tab in (one, two):
        tab.page.bring_to_front()
        tab.streaming("One two")
    gates[0].set()
    two.streaming("One two three.")
    two.streaming("Four")
    gates[1].set()
    two.answered()
    one.page.bring_to_front()
    one.answered()
    expected = ["hello", "Mock response to: hello", "count", "One two three.\n\nFour five."]
    assert one.texts() == two.texts() == expected
    two.page.bring_to_front()
    two.asked("and back")
    one.page.bring_to_front()
    expect(one.messages).to_have_count(6)
    one.answered()
    assert one.texts() == two.texts() == [*expected, "and back", "Hello there."]


def test_what_two_tabs_ask_in_turn_stands_in_order_in_both(serve, visit, home):
    sessions_from_before(home, "hello")
    one = visit(serve("--backend", "mock", "--mock-delay", "0"))
    two = one.tab()
    for number in range(3):
        for tab in (one, two):
            tab.page.bring_to_front()
            before = 2 + 4 * number + (2 if tab is two else 0)
            expect(tab.messages).to_have_count(before)
            tab.answered()
            tab.asked(f"question {number}")
    expect(one.messages).to_have_count(14)
    one.answered()
    assert one.texts() == two.texts()
    assert len(two.texts()) == 14


def test_an_answer_goes_on_while_its_tab_shows_another_session(serve_model, model, visit, home, gates):
    sessions_from_before(home, "earlier")
    model.script(sends("One ", "two", gates[0], " three.", ended()))
    chat = visit(serve_model())
    chat.new_session()
    chat.ask("count")
    chat.streaming("One two")
    mine = chat.page.url
    chat.open_sessions()
    chat.rows.filter(has_text="earlier").click()
    expect(chat.page).to_have_title("earlier · Amplifier")
    assert chat.texts() == ["earlier", "Mock response to: earlier"]
    chat.asked("in between")
    assert chat.texts()[2:] == ["in between", "Hello there."]
    gates[0].set()
    chat.page.goto(mine)
    chat.answered()
    assert chat.texts() == ["count", "One two three."]


def test_a_second_tab_never_writes_into_the_wrong_session(serve, visit, home):
    sessions_from_before(home, "apples", "pears")
    one = visit(serve("--backend", "mock", "--mock-delay", "0"))
    expect(one.page).to_have_title("pears · Amplifier")
    two = one.tab()
    two.open_sessions()
    two.rows.filter(has_text="apples").click()
    expect(two.page).to_have_title("apples · Amplifier")
    one.page.bring_to_front()
    expect(one.badge).to_have_attribute("data-connected", "false")
    one.asked("more pears")
    assert one.texts() == ["pears", "Mock response to: pears", "more pears", "Mock response to: more pears"]
    expect(one.badge).to_have_attribute("data-connected", "true")
    expect(two.messages).to_have_count(2)


def test_a_message_is_changed_while_another_tab_writes(serve, visit, home):
    sessions_from_before(home, "apples")
    chat = visit(serve("--backend", "mock", "--mock-delay", "0"), "/").ready()
    chat.questions.first.get_by_role("link", name="Edit").click()
    chat.page.get_by_label("Your message").fill("pears")
    other = chat.tab().ready()
    other.asked("plums")
    expect(chat.questions).to_have_count(2)
    expect(chat.page.get_by_label("Your message")).to_have_value("pears")
    # The new messages were seen, so they are no reason to refuse the change.
    chat.page.locator("form.edit").get_by_role("button", name="Send").click()
    expect(chat.page.locator("article .content")).to_have_text(["pears", "Mock response to: pears"])
    # The other tab follows, to the same branch.
    expect(other.questions.locator(".content")).to_have_text(["pears"])


@pytest.fixture
def cut_off(serve, visit, home):
    """A tab that is not updated, and another one that has just written."""
    sessions_from_before(home, "apples")
    chat = visit(serve("--backend", "mock", "--mock-delay", "0"), "/").ready()
    chat.page.route("**/events*", lambda route: route.abort())
    chat.page.reload()
    chat.ready()
    return chat


def somebody_writes(chat):
    chat.tab().ready().asked("plums")


def test_what_a_tab_that_was_cut_off_sends_is_kept_and_what_it_lacks_is_shown(cut_off):
    somebody_writes(cut_off)
    cut_off.ask("mine")
    expect(cut_off.problem).to_contain_text("newer messages")
    expect(cut_off.field).to_have_value("mine")
    expect(cut_off.questions.locator(".content")).to_have_text(["apples", "plums"])
    expect(cut_off.answer).to_have_text("Mock response to: plums")
    cut_off.ask("mine")
    expect(cut_off.questions.locator(".content")).to_have_text(["apples", "plums", "mine"])


def test_where_the_conversation_went_another_way_it_is_shown_as_it_is(cut_off):
    other = cut_off.tab().ready()
    other.questions.first.get_by_role("link", name="Edit").click()
    other.page.get_by_label("Your message").fill("plums")
    other.page.locator("form.edit").get_by_role("button", name="Send").click()
    other.answered()
    expect(other.questions.locator(".content")).to_have_text(["plums"])
    cut_off.ask("mine")
    expect(cut_off.questions.locator(".content")).to_have_text(["plums"])
    expect(cut_off.field).to_have_value("mine")


def test_a_change_from_a_tab_that_was_cut_off_is_refused_and_kept(cut_off):
    cut_off.questions.first.get_by_role("link", name="Edit").click()
    cut_off.page.get_by_label("Your message").fill("pears")
    somebody_writes(cut_off)
    cut_off.page.locator("form.edit").get_by_role("button", name="Send").click()
    expect(cut_off.problem).to_contain_text("newer messages")
    expect(cut_off.page.get_by_label("Your message")).to_have_value("pears")
    expect(cut_off.questions).to_have_count(2)
