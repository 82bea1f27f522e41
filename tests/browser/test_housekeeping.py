"""Sessions are renamed, deleted and restored in the dropdown and on the page of all sessions."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.past import sessions_from_before

pytestmark = pytest.mark.browser

QUICK = ("--backend", "mock", "--mock-delay", "0")


@pytest.fixture
def chat(serve, visit, home):
    """A page on the last of three sessions."""
    sessions_from_before(home, "apples", "pears", "plums")
    return visit(serve(*QUICK)).ready()


def managed(chat, title):
    """Open the menu of the row with that title."""
    chat.open_sessions()
    opened(chat, title)
    return chat.page.get_by_role("menu")


def opened(chat, title):
    row = chat.panel.locator("li", has_text=title)
    row.hover()
    row.get_by_role("button", name="Rename, pin, archive or delete").click()


def renaming(chat, title):
    """The field for the title of that row."""
    managed(chat, title).get_by_role("menuitem", name="Rename").click()
    return chat.panel.get_by_label("Title", exact=True)


@pytest.mark.parametrize("place", ["row", "header"])
def test_what_is_typed_replaces_the_title(chat, place):
    if place == "row":
        renaming(chat, "plums")
    else:
        chat.page.locator("#badge .name").press("Enter")
    field = chat.page.get_by_label("Title", exact=True)
    expect(field).to_be_focused()
    chat.page.keyboard.type("Red plums")
    expect(field).to_have_value("Red plums")
    chat.page.keyboard.press("ArrowLeft")
    field.evaluate("field => { field.blur(); field.focus(); }")
    chat.page.keyboard.type("!")
    expect(field).to_have_value("Red plum!s")


def edited_in_header(chat, text):
    """The field for the session's title in the header, with this text."""
    chat.page.locator("#badge .name").click()
    field = chat.page.get_by_label("Title", exact=True)
    field.fill(text)
    return field


def test_a_title_that_is_edited_in_the_header_goes_with_its_session(chat):
    chat.asked("What about plums?")
    field = edited_in_header(chat, "Half a na")
    chat.open_sessions()
    chat.rows.filter(has_text="pears").click()
    expect(chat.badge.locator(".name")).to_have_text("pears")
    expect(field).to_have_count(0)
    chat.open_sessions()
    assert "Half a na" not in chat.panel.inner_text()


def test_a_title_that_is_edited_in_the_header_stays_while_its_session_changes(chat):
    chat.asked("What about plums?")
    field = edited_in_header(chat, "Half a na")
    chat.ask("And pears?")
    expect(chat.answers).to_have_count(3)
    chat.answered()
    other = chat.tab().ready()
    other.asked("And apples?")
    expect(chat.answers).to_have_count(4)
    expect(chat.badge).to_be_hidden()
    expect(field).to_have_value("Half a na")
    field.press("Enter")
    expect(chat.badge.locator(".name")).to_have_text("Half a na")
    expect(other.badge.locator(".name")).to_have_text("Half a na")
    expect(field).to_have_count(0)


def test_escape_leaves_the_title_in_the_header_as_it_was(chat):
    chat.asked("What about plums?")
    name = chat.badge.locator(".name").inner_text()
    chat.badge.locator(".name").dblclick()
    field = chat.page.get_by_label("Title", exact=True)
    expect(field).to_be_focused()
    expect(chat.page.locator(".rename")).to_have_count(1)
    field.fill("Half a na")
    field.press("Escape")
    expect(chat.badge.locator(".name")).to_have_text(name)
    expect(field).to_have_count(0)


def next_event(name):
    """A script that sets `window.happened` to a promise of the next event of that name, resolved after all other
    listeners.
    """
    event = f"(done) => addEventListener({name!r}, () => done(true), {{once: true}})"
    return f"void (window.happened = new Promise({event}))"


def test_a_fresh_list_that_comes_late_takes_no_form_away(chat):
    chat.open_sessions()
    expect(chat.rows).to_have_count(3)
    held = []
    chat.page.route("**/sessions?q=", lambda route: held.append(route), times=1)
    with chat.page.expect_request("**/sessions?q="):
        chat.page.evaluate("document.dispatchEvent(new Event('sessions'))")
    opened(chat, "plums")
    chat.page.get_by_role("menuitem", name="Rename").click()
    title = chat.panel.get_by_label("Title", exact=True)
    title.fill("Ripe plums")
    chat.page.evaluate(next_event("htmx:finally:request"))
    held[0].continue_()
    chat.page.evaluate("window.happened")
    expect(title).to_have_value("Ripe plums")
    title.press("Enter")
    expect(chat.rows.first).to_contain_text("Ripe plums")


def test_a_session_is_renamed_in_its_place(chat):
    title = renaming(chat, "plums")
    expect(title).to_be_focused()
    title.fill("Ripe plums")
    title.press("Enter")
    expect(chat.rows.first).to_contain_text("Ripe plums")
    expect(chat.page).to_have_title("Ripe plums · Amplifier")
    expect(chat.panel).to_be_visible()


def test_a_name_that_is_being_typed_is_not_lost_to_news(chat):
    other = chat.tab("/").ready()
    title = renaming(chat, "apples")
    title.fill("Half a na")
    asked = []
    chat.page.on("request", lambda request: asked.append(request.url))
    chat.page.evaluate(next_event("sessions"))
    other.asked("news")
    chat.page.evaluate("window.happened")
    # A request of the list would come before this one.
    chat.page.evaluate("fetch('/healthz').then(() => true)")
    assert [url for url in asked if url.endswith("/healthz")]
    assert not [url for url in asked if "/sessions?" in url]
    expect(title).to_have_value("Half a na")


def test_the_menu_of_a_row_opens_closes_and_never_shows_another_rows(chat):
    menu = managed(chat, "plums")
    expect(menu.get_by_role("menuitem")).to_have_text(
        ["Rename", "Pin", "Archive", "Markdown", "HTML", "JSON Lines", "Delete"]
    )
    expect(menu.get_by_role("menuitem", name="Rename")).to_be_focused()
    keys = ("ArrowDown", "Pin"), ("ArrowUp", "Rename"), ("ArrowUp", "Rename"), ("End", "Delete"), ("Home", "Rename")
    for key, name in (*keys, ("End", "Delete"), ("ArrowDown", "Delete"), ("ArrowUp", "JSON Lines")):
        chat.page.keyboard.press(key)
        expect(menu.get_by_role("menuitem", name=name)).to_be_focused()
    chat.page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(chat.panel).to_be_visible()
    button = chat.panel.locator("li", has_text="plums").get_by_role("button", name="Rename, pin, archive or delete")
    expect(button).to_be_focused()
    button.click()
    expect(menu.get_by_role("menuitem")).to_have_count(7)
    button.click()
    expect(menu).to_be_hidden()
    button.click()
    expect(menu.get_by_role("menuitem")).to_have_count(7)
    chat.page.keyboard.press("Escape")
    chat.page.route("**/manage", lambda route: None)
    opened(chat, "apples")
    expect(chat.page.locator("#rowMenu > *")).to_have_count(0)


def test_home_and_end_lead_to_the_ends_of_the_list_and_stay_in_a_field(chat):
    chat.open_sessions()
    chat.page.keyboard.press("ArrowDown")
    first = chat.panel.get_by_role("button", name="+ New")
    for key, row in (("End", chat.rows.last), ("Home", first), ("End", chat.rows.last)):
        chat.page.keyboard.press(key)
        expect(row).to_be_focused()
    search = chat.panel.get_by_role("searchbox")
    search.fill("plum")
    search.press("Home")
    chat.page.keyboard.type("x")
    expect(search).to_have_value("xplum")


def test_what_happens_while_the_menu_is_open_is_listed_when_it_closes(chat):
    menu = managed(chat, "apples")
    expect(menu.get_by_role("menuitem")).to_have_count(7)
    chat.page.evaluate(next_event("sessions"))
    renamed = chat.page.request.get(f"{chat.base}/api/sessions").json()["sessions"][0]["session_id"]
    chat.page.request.post(f"{chat.base}/sessions/{renamed}/rename", form={"title": "dates"})
    chat.page.evaluate("window.happened")
    expect(menu.get_by_role("menuitem")).to_have_count(7)
    chat.page.keyboard.press("Escape")
    expect(chat.rows.filter(has_text="dates")).to_have_count(1)


def test_the_title_in_the_header_is_changed_there(chat):
    chat.open_sessions()
    chat.rows.filter(has_text="plums").click()
    expect(chat.badge).to_contain_text("plums")
    expect(chat.field).to_be_focused()  # the session is chosen, and nothing takes the focus any more
    chat.badge.get_by_role("link", name="plums").click()
    title = chat.page.get_by_label("Title", exact=True)
    expect(title).to_be_focused()
    title.fill("Not this")
    title.press("Escape")
    expect(chat.badge).to_contain_text("plums")
    chat.badge.get_by_role("link", name="plums").click()
    other = chat.tab("/").ready()
    title.fill("Ripe plums")
    chat.page.evaluate(next_event("sessions"))
    other.asked("news")
    chat.page.evaluate("window.happened")
    expect(title).to_have_value("Ripe plums")
    title.press("Enter")
    expect(chat.badge).to_contain_text("Ripe plums")
    expect(chat.page).to_have_title("Ripe plums · Amplifier")


def test_a_deletion_is_undone(chat):
    managed(chat, "plums").get_by_role("menuitem", name="Delete").click()
    expect(chat.rows).to_have_count(2)
    expect(chat.page.locator(".welcome")).to_be_visible()
    chat.page.get_by_role("button", name="Undo").click()
    expect(chat.page.locator(".undo")).to_have_count(0)
    expect(chat.badge).to_contain_text("plums")
    expect(chat.answer).to_contain_text("plums")
    expect(chat.field).to_be_focused()
    assert "/sessions/" in chat.page.url
    chat.open_sessions()
    expect(chat.rows).to_have_count(3)


@pytest.mark.parametrize("first", ["delete", "resume"])
def test_who_goes_on_elsewhere_while_a_session_is_deleted_stays_there(chat, first):
    held = []
    chat.page.route(re.compile("/(delete|resume)$"), lambda route: held.append(route))
    managed(chat, "plums").get_by_role("menuitem", name="Delete").click()
    chat.wait_for(held)
    chat.rows.filter(has_text="pears").click()
    chat.wait_for(held, 2)
    delete, resume = held
    if first == "delete":
        delete.continue_()
        expect(chat.page.locator(".welcome")).to_be_visible()
        resume.continue_()
    else:
        resume.continue_()
        expect(chat.badge).to_contain_text("pears")
        delete.continue_()
    expect(chat.page.get_by_role("button", name="Undo")).to_be_visible()
    expect(chat.rows).to_have_count(2)
    expect(chat.badge).to_contain_text("pears")
    expect(chat.answer).to_contain_text("pears")
    expect(chat.page).to_have_title("pears · Amplifier")
    assert chat.page.url == f"{chat.base}{chat.page.locator('#chatArea').get_attribute('data-url')}"
    chat.page.get_by_role("button", name="Undo").click()
    expect(chat.page.locator(".undo")).to_have_count(0)
    expect(chat.badge).to_contain_text("pears")


def test_a_choice_that_comes_late_does_not_take_away_what_was_asked_after_it(chat):
    managed(chat, "plums").get_by_role("menuitem", name="Delete").click()
    expect(chat.page.locator(".welcome")).to_be_visible()
    held = []
    chat.page.route("**/resume", lambda route: held.append(route), times=1)
    chat.rows.filter(has_text="pears").click()
    chat.wait_for(held)
    chat.page.keyboard.press("Escape")
    chat.asked("cherries")
    chat.page.evaluate(next_event("htmx:finally:request"))
    held[0].continue_()
    chat.page.evaluate("window.happened")
    expect(chat.badge).to_contain_text("cherries")
    expect(chat.answer).to_contain_text("cherries")


def test_a_deletion_is_shown_although_another_rows_menu_has_been_opened_meanwhile(chat):
    held = []
    chat.page.route("**/delete", lambda route: held.append(route), times=1)
    managed(chat, "pears").get_by_role("menuitem", name="Delete").click()
    chat.wait_for(held)
    opened(chat, "apples")
    expect(chat.page.get_by_role("menuitem", name="Rename")).to_be_focused()
    held[0].continue_()
    expect(chat.page.get_by_role("button", name="Undo")).to_be_visible()
    chat.page.keyboard.press("Escape")
    expect(chat.rows).to_have_count(2)


def test_undo_goes_after_ten_seconds_and_the_trash_has_it_still(chat):
    managed(chat, "apples").get_by_role("menuitem", name="Delete").click()
    undo = chat.page.locator(".undo")
    expect(undo).to_be_visible()
    expect(undo).to_be_hidden()
    chat.open("/sessions?show=trash")
    chat.page.get_by_label("Choose apples").check()
    chat.page.get_by_role("button", name="Restore", exact=True).click()
    expect(chat.page.locator(".row")).to_have_count(3)


def test_another_tab_sees_it_at_once(chat):
    other = chat.tab("/").ready()
    other.open_sessions()
    managed(chat, "pears").get_by_role("menuitem", name="Pin").click()
    expect(other.rows.first).to_contain_text("pears")
    chat.page.keyboard.press("Escape")
    managed(chat, "pears").get_by_role("menuitem", name="Delete").click()
    expect(other.rows).to_have_count(2)


@pytest.mark.parametrize("script", [True, False])
def test_several_are_archived_and_all_deleted_on_their_page(serve, visit, home, script):
    sessions_from_before(home, "apples", "pears", "plums")
    chat = visit(serve(*QUICK), "/sessions", java_script_enabled=script)
    chat.page.get_by_label("Choose apples").check()
    chat.page.get_by_label("Choose pears").check()
    chat.page.get_by_role("button", name="Archive", exact=True).click()
    expect(chat.page.locator(".row")).to_have_count(1)
    chat.page.get_by_text("Delete all").click()
    chat.page.get_by_role("button", name="Yes, all of these").click()
    expect(chat.page.locator(".row")).to_have_count(0)
    chat.page.get_by_role("button", name="Undo").click()
    expect(chat.page.locator(".row")).to_have_count(1)
    chat.page.get_by_role("link", name="Archive", exact=True).click()
    expect(chat.page.locator(".row")).to_have_count(2)


def test_a_search_finds_as_one_types_and_leads_to_the_message(chat):
    chat.page.keyboard.press("Control+k")
    search = chat.panel.get_by_label("Search titles and messages")
    expect(search).to_be_focused()
    chat.page.keyboard.type("respon", delay=30)
    hits = chat.panel.locator("a.row")
    expect(hits).to_have_count(3)
    expect(hits.first.locator("mark")).to_have_text("respon")
    search.fill("response apples")
    expect(hits).to_have_count(1)
    chat.page.keyboard.press("ArrowDown")
    chat.page.keyboard.press("Enter")
    expect(chat.page).to_have_title("apples · Amplifier")
    expect(chat.page.locator("article:target")).to_contain_text("Mock response to: apples")


def test_a_search_leaves_the_list_when_it_is_cleared(chat):
    chat.open_sessions()
    search = chat.panel.get_by_label("Search titles and messages")
    search.fill("pears")
    expect(chat.rows).to_have_count(1)
    search.fill("")
    expect(chat.rows).to_have_count(3)


def test_what_happens_to_the_files_is_seen_at_once(chat, home):
    folder = home / "server" / "web-chat-transcripts"
    chat.open_sessions()
    (folder / "dropped.jsonl").write_text('{"role": "user", "content": "Dropped here"}\n')
    expect(chat.rows).to_have_count(4)
    chat.rows.filter(has_text="Dropped here").click()
    expect(chat.page).to_have_title("Dropped here · Amplifier")
    path = folder / "dropped.jsonl"
    with path.open("a") as file:
        file.write('{"role": "assistant", "content": "An answer by hand"}\n')
    expect(chat.answer).to_have_text("An answer by hand")
    path.write_text(path.read_text().replace("by hand", "that was edited"))
    expect(chat.answer).to_have_text("An answer that was edited")
    path.write_text('{"role": "user", "content": "Dropped here"}\n{"role": "assi')
    expect(chat.messages).to_have_count(1)
    path.write_text('{"role": "user", "content": "Dropped here"}\nno record\n')
    expect(chat.page.get_by_text("Some lines of this conversation could not be read.")).to_be_visible()
    path.unlink()
    expect(chat.messages).to_have_count(0)


def test_what_is_still_being_read_for_the_search_comes_by_itself(chat, home):
    """The folder has a great many words that are not indexed yet."""
    folder = home / "server" / "web-chat-transcripts"
    line = json.dumps({"role": "user", "content": "pumpernickel " + "word " * 2000}) + "\n"
    for name in [path.stem for path in folder.glob("*.jsonl")]:
        with (folder / f"{name}.jsonl").open("a") as transcript:
            transcript.write(line * 60)
    chat.page.keyboard.press("Control+k")
    chat.page.keyboard.type("pumper")
    expect(chat.panel.locator("a.row")).to_have_count(3)
    expect(chat.panel.get_by_text("still being indexed")).to_have_count(0)
    expect(chat.panel.get_by_label("Search titles and messages")).to_have_value("pumper")
