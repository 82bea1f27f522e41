"""Whoever looks through the versions of a message stays at that message, in the view and with the focus."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.past import manager_of

pytestmark = pytest.mark.browser


def versions_far_above_the_end(home) -> str:
    """A session whose fifth question has three versions with many messages below; returns the address of the last."""
    manager = manager_of(home)
    session_id = manager.create_session().session_id
    for number in range(4):
        manager.send_message(f"question {number}")
    manager.send_message("version 1")
    for version in (1, 2, 3):
        if version > 1:
            question = manager.conversation(session_id).messages[8]
            manager.edit(session_id, question.id, f"version {version}").wait()
        for number in range(30):
            manager.send_message(f"after version {version}: {number}")
    shown = manager.conversation(session_id).messages[8]
    assert shown.content == "version 3"
    return f"/sessions/{session_id}?at={shown.id}"


@pytest.fixture
def path(home):
    return versions_far_above_the_end(home)


def test_the_view_and_the_focus_stay_where_versions_are_compared(serve, visit, path):
    chat = visit(serve("--backend", "mock", "--mock-delay", "0"), path).ready()
    pair = chat.page.locator(".siblings")
    previous = pair.get_by_role("button", name="Show the previous version")
    previous.scroll_into_view_if_needed()
    previous.focus()
    top = chat.box(pair)["top"]
    for place in (2, 1):
        chat.page.keyboard.press("Enter")
        expect(pair).to_contain_text(f"{place} / 3")
        expect(chat.page.get_by_text(f"version {place}", exact=True)).to_be_in_viewport()
        expect(pair.locator(":focus")).to_have_count(1)
        assert abs(chat.box(pair)["top"] - top) < 2
        if place == 2:
            expect(previous).to_be_focused()
    expect(pair.get_by_role("button", name="Show the next version")).to_be_focused()


def test_without_a_script_the_chosen_version_is_shown_too(serve, visit, path):
    server = serve("--backend", "mock", "--mock-delay", "0")
    chat = visit(server, path, java_script_enabled=False)
    chat.page.get_by_role("button", name="Show the previous version").click()
    expect(chat.page.get_by_text("version 2", exact=True)).to_be_in_viewport()


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_the_focus_goes_back_to_edit_when_a_message_is_left_as_it_was(serve, visit, role):
    chat = visit(serve("--backend", "mock", "--mock-delay", "0")).ready()
    chat.asked("hello")
    edit = chat.page.locator(f'article[data-role="{role}"]').get_by_role("link", name="Edit")
    for leave in ("Escape", "Enter"):
        edit.focus()
        chat.page.keyboard.press("Enter")
        expect(chat.page.locator(".edit textarea")).to_be_focused()
        if leave == "Enter":
            chat.page.get_by_role("link", name="Cancel").focus()
        chat.page.keyboard.press(leave)
        expect(chat.page.locator(".edit")).to_have_count(0)
        expect(edit).to_be_focused()
