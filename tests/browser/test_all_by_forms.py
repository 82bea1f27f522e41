"""Everything works by forms without JavaScript: branches, housekeeping, search, import and export."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.browser.past import sessions_from_before
from tests.reading import until

pytestmark = pytest.mark.browser

OFF = {"java_script_enabled": False}


@pytest.fixture
def chat(serve, visit, home):
    """A visitor without scripts, with two sessions from before; the last is current."""
    sessions_from_before(home, "apples", "pears")
    return visit(serve("--backend", "mock", "--mock-delay", "0"), **OFF)


def press(chat, name, within=None):
    (within or chat.page).get_by_role("button", name=name, exact=True).click()


def follow(chat, name, within=None):
    (within or chat.page).get_by_role("link", name=name, exact=True).first.click()


def send(chat, text):
    chat.field.fill(text)
    chat.send_button.click()
    settled(chat)


def settled(chat):
    """Reload the page until the answer is complete, because no script does."""

    def is_settled():
        chat.page.wait_for_load_state()
        # Not `reload`, which fails during a navigation.
        chat.page.goto(chat.page.url.partition("#")[0])
        return not chat.page.locator("article[aria-busy]").count()

    until(is_settled)


def test_an_answer_is_tried_again_a_message_changed_and_the_arrows_lead_back(chat):
    press(chat, "Ask for another answer", chat.answers.last)
    settled(chat)
    expect(chat.answers.last.locator(".siblings")).to_contain_text("2 / 2")
    press(chat, "Show the previous version", chat.answers.last)
    expect(chat.answers.last.locator(".siblings")).to_contain_text("1 / 2")
    chat.page.reload()
    expect(chat.answers.last.locator(".siblings")).to_contain_text("1 / 2")
    follow(chat, "Edit", chat.questions.first)
    chat.page.get_by_label("Your message").fill("plums")
    press(chat, "Send")
    settled(chat)
    assert chat.texts() == ["plums", "Mock response to: plums"]
    press(chat, "Show the previous version", chat.questions.first)
    assert chat.texts() == ["pears", "Mock response to: pears"]


def test_a_fork_is_a_session_of_its_own(chat):
    press(chat, "Go on from here in a new session", chat.questions.first)
    assert chat.texts() == ["pears"]
    follow(chat, "Sessions")
    expect(chat.rows).to_have_count(3)


def manage(chat, title):
    follow(chat, "Sessions")
    chat.page.get_by_role("link", name=f"Rename, pin, archive or delete {title}").click()


def test_a_session_is_renamed_pinned_archived_deleted_and_brought_back(chat):
    manage(chat, "apples")
    chat.page.get_by_label("Title").fill("Fruit")
    press(chat, "Save")
    manage(chat, "Fruit")
    press(chat, "Pin")
    expect(chat.page.get_by_role("heading", name="Pinned")).to_be_visible()
    expect(chat.rows.first).to_contain_text("Fruit")
    manage(chat, "Fruit")
    press(chat, "Archive")
    expect(chat.rows).to_have_count(1)
    follow(chat, "Archive")
    chat.page.get_by_role("link", name="Rename, pin, archive or delete Fruit").click()
    press(chat, "Unarchive")
    expect(chat.rows).to_have_count(2)
    manage(chat, "Fruit")
    press(chat, "Delete")
    expect(chat.rows).to_have_count(1)
    press(chat, "Undo")
    expect(chat.rows).to_have_count(2)
    manage(chat, "Fruit")
    press(chat, "Delete")
    follow(chat, "Trash")
    expect(chat.rows).to_have_count(1)
    chat.rows.first.click()
    follow(chat, "Sessions")
    expect(chat.rows).to_have_count(2)


def test_several_are_chosen_and_the_trash_is_emptied(chat):
    follow(chat, "Sessions")
    chat.page.get_by_label("Choose apples").check()
    chat.page.get_by_label("Choose pears").check()
    press(chat, "Delete")
    expect(chat.page.locator(".undo")).to_contain_text("2 sessions deleted")
    follow(chat, "Trash")
    chat.page.get_by_text("Empty the trash").click()
    press(chat, "Yes, for good")
    expect(chat.rows).to_have_count(0)
    expect(chat.page.get_by_text("The trash is empty.")).to_be_visible()


def test_a_search_leads_to_the_message(chat):
    send(chat, "and the zebra")
    follow(chat, "Sessions")
    chat.page.get_by_role("searchbox").fill("ZEBRA")
    press(chat, "Search")
    chat.page.wait_for_url("**q=ZEBRA**")
    hit = chat.page.locator("a.row")

    def is_found():
        chat.page.reload()
        return hit.count()

    until(is_found)  # the search may still be indexing it
    expect(hit.locator("mark")).to_have_text("zebra")
    hit.click()
    target = chat.page.locator("article:target")
    expect(target).to_contain_text("zebra")


def test_everything_is_taken_along_and_brought_in_again(chat, tmp_path):
    follow(chat, "Sessions")
    with chat.page.expect_download() as started:
        follow(chat, "JSON Lines")
    started.value.save_as(tmp_path / "all.jsonl")
    chat.page.get_by_text("Delete all").click()
    press(chat, "Yes, all of these")
    follow(chat, "Trash")
    chat.page.get_by_text("Empty the trash").click()
    press(chat, "Yes, for good")
    follow(chat, "Sessions")
    chat.page.get_by_label("Files to import").set_input_files(tmp_path / "all.jsonl")
    press(chat, "Import")
    expect(chat.page.locator("main")).to_contain_text("2 sessions imported")
    follow(chat, "All sessions")
    expect(chat.rows).to_have_count(2)
    chat.page.get_by_label("Files to import").set_input_files(
        {"name": "broken.json", "mimeType": "application/json", "buffer": json.dumps([{"x": 1}]).encode()}
    )
    press(chat, "Import")
    expect(chat.page.get_by_role("listitem")).to_contain_text("This kind of file is unknown. The known kinds are")


def test_a_session_is_taken_along_in_each_format(chat):
    manage(chat, "pears")
    for name, ending in (("Markdown", ".md"), ("HTML", ".html"), ("JSON Lines", ".jsonl")):
        with chat.page.expect_download() as started:
            follow(chat, name)
        assert started.value.suggested_filename == f"pears{ending}"


def test_a_memory_is_deleted_and_brought_back(chat):
    send(chat, "remember this: the kettle is green")
    follow(chat, "Settings")
    memories = chat.page.locator("#memories")
    press(chat, "Delete mem-001", memories)
    expect(memories.locator(".undo")).to_contain_text("mem-001 deleted")
    press(chat, "Undo mem-001", memories.locator(".undo"))
    expect(memories.get_by_role("button", name="Delete mem-001")).to_be_visible()
    press(chat, "Delete mem-001", memories)
    memories.get_by_text("Deleted (1)").click()
    press(chat, "Delete for good mem-001", memories)
    expect(memories).to_contain_text("No memories yet")


def test_a_message_sent_again_from_the_page_before_is_not_lost(chat):
    """Going back may show a form that was already sent, with its key, and an empty field."""
    key = chat.page.locator("form.field input[name=key]").get_attribute("value")
    send(chat, "one more")
    chat.page.go_back()
    if chat.page.locator("form.field input[name=key]").get_attribute("value") == key:
        chat.field.fill("and another")
        chat.send_button.click()
        expect(chat.page.get_by_role("alert")).to_contain_text("newer messages")
        expect(chat.field).to_have_value("and another")
        press(chat, "Try again")
        settled(chat)
        assert chat.texts()[-2:] == ["and another", "Mock response to: and another"]
