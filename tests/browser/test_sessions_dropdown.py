"""The Sessions dropdown: what it shows, how a session is resumed or started from it, and how it closes."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.past import sessions_from_before

pytestmark = pytest.mark.browser

QUICK = ("--backend", "mock", "--mock-delay", "0")


@pytest.fixture
def two_sessions(serve, visit, home):
    """A page on the second of two sessions, "apples" and "pears"."""
    sessions_from_before(home, "apples", "pears")
    return visit(serve(*QUICK))


def test_without_sessions_it_says_how_to_start_one(serve, visit):
    chat = visit(serve(*QUICK))
    chat.open_sessions()
    expect(chat.panel).to_contain_text("No sessions yet. Start chatting to create one.")


def test_each_row_says_what_it_was_about_and_which_is_current(two_sessions):
    chat = two_sessions
    chat.open_sessions()
    expect(chat.rows).to_have_count(2)
    expect(chat.rows.nth(0)).to_contain_text("pears")
    expect(chat.rows.nth(0)).to_have_attribute("aria-current", "true")
    expect(chat.rows.nth(1)).to_contain_text("apples")
    expect(chat.rows.nth(1)).not_to_have_attribute("aria-current", re.compile("."))
    expect(chat.panel.get_by_role("heading", name="Today")).to_be_visible()


OPENED_MEANWHILE = """() => {
  document.addEventListener("htmx:before:settle", ({ target }) => {
    if (target.id !== "chatArea") return;
    document.getElementById("sessionsPanel").showPopover();
    const through = () => setTimeout(() => { window.isThrough = true; });
    document.addEventListener("htmx:finally:request", through, { once: true });
  });
}"""


def test_opened_while_the_first_message_comes_onto_the_page_it_stays_open(serve, visit):
    chat = visit(serve(*QUICK))
    chat.page.evaluate(OPENED_MEANWHILE)
    chat.ask("hello")
    chat.until("window.isThrough")
    expect(chat.panel).to_be_visible()
    expect(chat.rows).to_have_count(1)


def test_choosing_a_row_resumes_that_session_in_one_swap(two_sessions):
    chat = two_sessions
    chat.page.evaluate("window.sameDocument = true")
    before = chat.page.url
    chat.open_sessions()
    short_id = chat.rows.nth(1).locator(".id").inner_text()
    chat.rows.nth(1).click()
    expect(chat.page).to_have_title("apples · Amplifier")
    assert chat.texts() == ["apples", "Mock response to: apples"]
    expect(chat.badge).to_contain_text(short_id)
    expect(chat.badge).to_have_attribute("data-connected", "true")
    expect(chat.note).to_have_text(f"Resumed session {short_id}")
    assert short_id in chat.page.url
    assert chat.page.url != before
    expect(chat.panel).to_be_hidden()
    expect(chat.field).to_be_focused()
    assert chat.page.evaluate("window.sameDocument") is True
    chat.open_sessions()
    expect(chat.rows.filter(has_text="apples")).to_have_attribute("aria-current", "true")
    expect(chat.panel.locator("[aria-current]")).to_have_count(1)


def test_of_two_that_were_chosen_the_later_one_is_shown_however_slow_the_first(serve, visit, home):
    sessions_from_before(home, "apples", "pears", "plums")
    chat = visit(serve(*QUICK))
    held = []
    chat.page.route("**/resume", lambda route: held.append(route))
    chat.open_sessions()
    for count, title in enumerate(("apples", "pears"), start=1):
        chat.rows.filter(has_text=title).click()
        chat.wait_for(held, count)
    for route in held:
        route.fulfill(response=route.fetch())
    expect(chat.page).to_have_title("pears · Amplifier")
    expect(chat.badge).to_have_attribute("data-connected", "true")


def test_a_resumed_session_goes_on(two_sessions):
    chat = two_sessions
    chat.open_sessions()
    chat.rows.nth(1).click()
    expect(chat.page).to_have_title("apples · Amplifier")
    chat.asked("plums")
    assert chat.texts() == ["apples", "Mock response to: apples", "plums", "Mock response to: plums"]
    chat.page.reload()
    assert chat.texts() == ["apples", "Mock response to: apples", "plums", "Mock response to: plums"]


def test_the_start_page_takes_on_the_address_of_the_session_that_it_shows(two_sessions):
    assert re.search(r"/sessions/mock-session-\w+$", two_sessions.page.url)


def test_back_shows_the_session_before_and_forward_the_resumed_one(two_sessions):
    chat = two_sessions
    pears = chat.page.url
    chat.open_sessions()
    chat.rows.nth(1).click()
    expect(chat.page).to_have_title("apples · Amplifier")
    apples = chat.page.url
    chat.page.go_back()
    expect(chat.page).to_have_url(pears)
    expect(chat.questions.locator(".content")).to_have_text(["pears"])
    expect(chat.page).to_have_title("pears · Amplifier")
    chat.asked("more pears")
    chat.open_sessions()
    expect(chat.rows).to_have_count(2)
    chat.page.keyboard.press("Escape")
    chat.page.go_forward()
    expect(chat.page).to_have_url(apples)
    expect(chat.questions.locator(".content")).to_have_text(["apples"])
    expect(chat.page).to_have_title("apples · Amplifier")


def test_new_starts_an_empty_session_and_says_so(two_sessions):
    chat = two_sessions
    before = chat.page.url
    chat.open_sessions()
    chat.panel.get_by_role("button", name="+ New").click()
    expect(chat.note).to_contain_text("New session started")
    expect(chat.messages).to_have_count(0)
    expect(chat.page).to_have_title("Amplifier")
    assert chat.page.url != before
    short_id = chat.note.inner_text().split()[-1]
    expect(chat.badge).to_contain_text(short_id)
    expect(chat.panel).to_be_hidden()
    expect(chat.field).to_be_focused()
    chat.asked("plums")
    assert chat.texts() == ["plums", "Mock response to: plums"]
    expect(chat.page).to_have_title("plums · Amplifier")
    chat.open_sessions()
    expect(chat.rows).to_have_count(3)
    expect(chat.rows.nth(0)).to_contain_text("plums")


def test_an_open_dropdown_shows_what_happens_elsewhere(two_sessions):
    chat = two_sessions
    chat.open_sessions()
    other = chat.tab("/")
    other.asked("third")
    chat.page.bring_to_front()
    expect(chat.rows).to_have_count(2)
    assert chat.page.request.post(f"{chat.base}/messages", form={"message": "from a script"}).ok
    expect(chat.rows).to_have_count(3)
    expect(chat.rows.nth(0)).to_contain_text("from a script")


def test_escape_closes_it_and_the_focus_returns_to_its_button(two_sessions):
    chat = two_sessions
    chat.open_sessions()
    chat.rows.nth(0).focus()
    chat.page.keyboard.press("Escape")
    expect(chat.panel).to_be_hidden()
    expect(chat.sessions_button).to_be_focused()


def test_a_click_beside_it_closes_it(two_sessions):
    chat = two_sessions
    chat.open_sessions()
    chat.page.mouse.click(300, 400)
    expect(chat.panel).to_be_hidden()


def test_arrow_keys_move_between_the_rows(two_sessions):
    chat = two_sessions
    chat.open_sessions()
    chat.page.keyboard.press("ArrowDown")
    expect(chat.panel.get_by_role("button", name="+ New")).to_be_focused()
    chat.page.keyboard.press("ArrowDown")
    expect(chat.rows.nth(0)).to_be_focused()
    chat.page.keyboard.press("ArrowDown")
    expect(chat.rows.nth(1)).to_be_focused()
    chat.page.keyboard.press("ArrowDown")
    expect(chat.rows.nth(1)).to_be_focused()
    chat.page.keyboard.press("ArrowUp")
    expect(chat.rows.nth(0)).to_be_focused()


def test_a_list_that_cannot_be_fetched_is_said_in_a_sentence(serve, visit):
    server = serve(*QUICK)
    chat = visit(server)
    server.kill()
    chat.sessions_button.click()
    expect(chat.panel.get_by_role("alert")).to_contain_text("did not answer")
    expect(chat.panel.get_by_text("Loading…")).to_have_count(0)


def test_more_than_fifty_sessions_come_as_one_scrolls(serve, visit, home):
    sessions_from_before(home, *(f"session {number}" for number in range(60)))
    chat = visit(serve(*QUICK))
    chat.open_sessions()
    expect(chat.rows).to_have_count(50)
    chat.rows.nth(49).scroll_into_view_if_needed()
    chat.panel.locator(".panel-body").evaluate("body => body.scrollTo(0, body.scrollHeight)")
    expect(chat.rows).to_have_count(60)
    expect(chat.rows.nth(59)).to_contain_text("session 0")


def test_a_search_goes_on_by_itself_while_the_conversations_are_still_read(serve, visit, home):
    transcripts = home / "server" / "web-chat-transcripts"
    transcripts.mkdir(parents=True)
    rows = []
    for number in range(400):
        lines = [{"role": "user", "content": f"word{number} {'text ' * 50}"} for _ in range(20)]
        (transcripts / f"s{number}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        rows.append({"session_id": f"s{number}", "description": f"S {number}"})
    (home / "server" / "web-chat-sessions.json").write_text(json.dumps(rows))
    chat = visit(serve())
    chat.open_sessions()
    chat.page.get_by_role("searchbox").fill("word399")
    expect(chat.panel.locator("mark")).to_have_text("word399")
    expect(chat.panel.get_by_text("still being indexed")).to_have_count(0)
    expect(chat.page.get_by_role("searchbox")).to_be_focused()
