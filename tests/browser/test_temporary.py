"""A temporary chat leaves nothing in the browser, and says clearly what it is."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

MARK = "xylophone"
NOTES = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"line one\n"}
STORED = "() => JSON.stringify([{...localStorage}, {...sessionStorage}])"


@pytest.fixture
def chat(serve, visit):
    chat = visit(serve("--backend", "mock", "--mock-delay", "0"))
    chat.open_sessions()
    chat.page.locator("#sessionsPanel").get_by_role("button", name="Temporary").click()
    expect(chat.page.locator(".note.temporary")).to_contain_text("nothing is saved here")
    expect(chat.note).to_have_text("Temporary chat started")
    return chat


def test_neither_drafts_nor_titles_are_left(chat):
    chat.asked(f"about the {MARK}")
    chat.field.fill(f"half a {MARK}")
    assert MARK not in chat.page.evaluate(STORED)
    expect(chat.page).to_have_title("Temporary chat · Amplifier")
    url = chat.page.url
    chat.page.goto("about:blank")
    chat.page.goto(url)
    expect(chat.page.locator("#badge")).to_contain_text("Temporary")
    expect(chat.page.locator("article").first).to_contain_text(MARK)
    expect(chat.field).to_have_value("")


def test_what_is_typed_stays_as_long_as_the_page_does(chat):
    chat.asked("about kettles")
    chat.field.fill(f"half a {MARK}")
    chat.answers.last.get_by_role("button", name="Ask for another answer").click()
    expect(chat.page.get_by_text("2 / 2")).to_be_visible()
    chat.answered()
    expect(chat.field).to_have_value(f"half a {MARK}")
    chat.page.get_by_role("button", name="Show the previous version").click()
    expect(chat.page.get_by_text("1 / 2")).to_be_visible()
    expect(chat.field).to_have_value(f"half a {MARK}")
    assert MARK not in chat.page.evaluate(STORED)
    chat.page.get_by_role("button", name="Keep this chat").click()
    expect(chat.note).to_contain_text("Kept as session")
    expect(chat.field).to_have_value(f"half a {MARK}")
    chat.asked("about teapots")
    chat.page.get_by_role("button", name="Show the next version").click()
    expect(chat.page.get_by_text("2 / 2")).to_be_visible()
    expect(chat.field).to_have_value("")


def test_who_is_typing_when_it_ends_elsewhere_loses_and_saves_nothing(chat):
    chat.asked("about kettles")
    chat.field.press_sequentially(f"Half a {MARK}")
    ended = chat.page.url
    chat.page.request.post(f"{ended}/delete", headers={"Accept": "application/json"})
    expect(chat.page.get_by_role("heading", name="This temporary chat has ended")).to_be_visible()
    expect(chat.field).to_have_value(f"Half a {MARK}")
    expect(chat.field).to_be_focused()
    chat.page.keyboard.type(", and more")
    expect(chat.page).to_have_url(chat.base + "/")
    expect(chat.page).to_have_title("Amplifier")
    chat.field.press("Enter")
    chat.answered()
    expect(chat.page.locator("#badge")).to_contain_text("Temporary")
    assert chat.texts()[0] == f"Half a {MARK}, and more"
    assert chat.page.url not in (ended, chat.base + "/")
    assert MARK not in chat.page.evaluate(STORED)


def test_a_page_that_comes_back_is_told_of_the_end(chat):
    chat.asked("about kettles")
    chat.field.fill(f"half a {MARK}")
    chat.page.route("**/events?*", lambda route: route.abort())
    chat.page.evaluate("dispatchEvent(new Event('online'))")  # the stream is closed and opened again
    chat.page.request.post(f"{chat.page.url}/end", headers={"Accept": "application/json"})
    chat.page.unroute("**/events?*")
    expect(chat.page.get_by_role("heading", name="This temporary chat has ended")).to_be_visible()
    expect(chat.field).to_have_value(f"half a {MARK}")
    chat.page.locator("main").get_by_role("button", name="New saved session").click()
    expect(chat.note).to_contain_text("New session")
    expect(chat.field).to_have_value("")


def test_kept_it_keeps_drafts_again(chat):
    chat.asked("about kettles")
    chat.page.get_by_role("button", name="Keep this chat").click()
    expect(chat.note).to_contain_text("Kept as session")
    expect(chat.page).to_have_title("about kettles · Amplifier")
    chat.field.fill("half a kettle")
    chat.page.reload()
    expect(chat.field).to_have_value("half a kettle")


def test_deleted_it_makes_way_for_the_welcome(chat):
    chat.asked("about kettles")
    other = chat.tab()
    chat.page.get_by_role("button", name="Delete for good").click()
    expect(chat.page.get_by_role("heading", name="What can I help with?")).to_be_visible()
    expect(chat.page).to_have_title("Amplifier")
    expect(other.page.get_by_role("heading", name="This temporary chat has ended")).to_be_visible()
    chat.open_sessions()
    expect(chat.page.locator("#sessionList")).to_contain_text("No sessions yet")


def test_deleted_it_makes_way_for_the_welcome_although_the_stream_is_quicker(chat):
    chat.asked("about kettles")
    held = []
    chat.page.route("**/delete", lambda route: held.append(route), times=1)
    chat.page.get_by_role("button", name="Delete for good").click()
    chat.wait_for(held)
    answer = held[0].fetch()
    expect(chat.page.get_by_role("heading", name="This temporary chat has ended")).to_be_visible()
    held[0].fulfill(response=answer)
    expect(chat.page.get_by_role("heading", name="What can I help with?")).to_be_visible()
    expect(chat.page).to_have_url(chat.base + "/")


@pytest.mark.parametrize("way", ["the stream", "a message"])
def test_files_that_were_chosen_stay_when_it_ends_elsewhere(chat, way):
    chat.asked("about kettles")
    chat.page.set_input_files("#files", [NOTES])
    chat.field.fill(f"Half a {MARK}")
    if way == "a message":  # the page does not know yet
        chat.page.route("**/events?*", lambda route: route.abort())
        chat.page.evaluate("dispatchEvent(new Event('online'))")
    chat.page.request.post(f"{chat.page.url}/delete", headers={"Accept": "application/json"})
    if way == "a message":
        chat.field.press("Enter")
        expect(chat.page.locator("main")).to_contain_text("Your message was not sent.")
    expect(chat.page.get_by_role("heading", name="This temporary chat has ended")).to_be_visible()
    expect(chat.page.locator("#attached li span")).to_have_text(["notes.txt"])
    expect(chat.page.locator("#attached")).to_be_visible()
    expect(chat.field).to_have_value(f"Half a {MARK}")
    chat.page.unroute("**/events?*")
    chat.field.press("Enter")
    chat.answered()
    expect(chat.badge).to_contain_text("Temporary")
    expect(chat.page.locator("details.file")).to_have_count(1)
    expect(chat.page.locator("#attached")).to_be_hidden()
    assert MARK not in chat.page.evaluate(STORED)


def test_files_stay_when_the_chat_is_drawn_anew_or_left_for_another(chat):
    chat.asked("about kettles")
    chat.page.set_input_files("#files", [NOTES])
    chat.answers.last.get_by_role("button", name="Ask for another answer").click()
    expect(chat.page.get_by_text("2 / 2")).to_be_visible()
    chat.answered()
    expect(chat.page.locator("#attached li span")).to_have_text(["notes.txt"])
    expect(chat.page.locator("#attached")).to_be_visible()
    chat.new_session()
    expect(chat.page.locator("#attached")).to_be_hidden()
    chat.open_sessions()
    chat.rows.filter(has_text="Temporary").click()
    expect(chat.page.locator("#attached li span")).to_have_text(["notes.txt"])
    expect(chat.page.locator("#attached")).to_be_visible()
    chat.asked("Read this")
    expect(chat.page.locator("details.file")).to_have_count(1)
    expect(chat.page.locator("#attached")).to_be_hidden()


def test_kept_in_one_tab_it_is_kept_in_all(chat):
    chat.asked("about kettles")
    other = chat.tab()
    other.field.fill("half a kettle")
    chat.page.get_by_role("button", name="Keep this chat").click()
    expect(other.note).to_contain_text("Kept as session")
    expect(other.page.locator(".note.temporary")).to_have_count(0)
    expect(other.badge).not_to_contain_text("Temporary")
    expect(other.page).to_have_title("about kettles · Amplifier")
    expect(other.field).to_have_value("half a kettle")
    other.page.keyboard.type(", whole")
    other.page.reload()
    expect(other.field).to_have_value("half a kettle, whole")
    other.asked("about teapots")
    expect(chat.answers).to_have_count(2)


def test_an_action_on_one_that_has_ended_says_so(chat):
    chat.asked("about kettles")
    chat.page.route("**/events?*", lambda route: route.abort())
    chat.page.evaluate("dispatchEvent(new Event('online'))")
    chat.page.request.post(f"{chat.page.url}/delete", headers={"Accept": "application/json"})
    chat.answers.last.get_by_role("button", name="Ask for another answer").click()
    expect(chat.page.get_by_role("heading", name="This temporary chat has ended")).to_be_visible()
    expect(chat.page.locator("main")).to_contain_text("starts another temporary chat")
