"""A button that is swapped away while it is being pressed still has its effect; a form, also while it is being sent."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

CHAT_ANEW = "htmx.ajax('GET', location.pathname, {target: '#chatArea', select: '#chatArea', swap: 'outerHTML'})"


@pytest.fixture
def chat(serve, visit):
    """A page with an answer, and the pointer on its question."""
    chat = visit(serve("--backend", "mock", "--mock-delay", "0"))
    chat.asked("hello")
    chat.questions.hover()
    return chat


@pytest.fixture
def edit(chat):
    """The link below the question, pressed while the chat is replaced."""
    edit = chat.questions.first.get_by_role("link", name="Edit")
    edit.hover()
    chat.page.mouse.down()
    chat.page.evaluate(CHAT_ANEW)
    return edit


def test_the_same_in_its_place_is_clicked(chat, edit):
    chat.page.mouse.up()
    expect(chat.page.locator("form.edit textarea")).to_have_value("hello")


def test_something_else_in_its_place_is_not(chat, edit):
    edit.evaluate("link => link.textContent = 'Undo'")
    chat.page.mouse.up()
    chat.asked("more")
    expect(chat.questions.locator(".content")).to_have_text(["hello", "more"])


def test_nor_is_what_the_pointer_was_dragged_away_from(chat, edit):
    chat.page.mouse.move(10, 400)
    chat.page.mouse.up()
    chat.asked("more")
    expect(chat.questions.locator(".content")).to_have_text(["hello", "more"])


def test_what_stays_is_clicked_once(chat):
    fork = chat.answers.get_by_role("button", name="Go on from here in a new session")
    chat.answers.hover()
    fork.hover()
    posts = []
    chat.page.on("request", lambda request: request.method == "POST" and posts.append(request.url))
    chat.page.mouse.down()
    chat.page.mouse.up()
    expect(chat.note).to_be_visible()
    assert len(posts) == 1


def test_why_a_form_was_refused_is_said_also_if_another_stands_in_its_place(serve, visit):
    chat = visit(serve("--backend", "mock", "--mock-delay", "0", "--max-messages-per-minute", "1"))
    chat.asked("hello")
    held = []
    chat.page.route(lambda url: url.endswith("/messages"), lambda route: held.append(route))
    chat.ask("still mine")
    chat.wait_for(held)
    chat.page.evaluate(CHAT_ANEW)
    held[0].continue_()
    expect(chat.problem).to_contain_text("Try again in")
    expect(chat.field).to_have_value("still mine")
    expect(chat.messages).to_have_count(2)


@pytest.mark.parametrize("how", ["refused", "unanswered"])
def test_why_a_form_of_another_session_failed_is_not_said_in_this_one(serve, visit, how):
    chat = visit(serve("--backend", "mock", "--mock-delay", "0", "--max-messages-per-minute", "1"))
    chat.asked("hello")
    held = []
    chat.page.route(lambda url: url.endswith("/messages"), lambda route: held.append(route))
    chat.ask("still mine")
    chat.wait_for(held)
    chat.new_session()
    expect(chat.field).to_have_value("")
    with chat.page.expect_event("requestfinished" if how == "refused" else "requestfailed"):
        if how == "refused":
            held[0].continue_()
        else:
            held[0].abort()
    chat.page.evaluate("new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown)))")
    expect(chat.problem).to_be_empty()
    expect(chat.field).to_have_value("")
    chat.open_sessions()
    chat.rows.filter(has_text="hello").click()
    expect(chat.field).to_have_value("still mine")
