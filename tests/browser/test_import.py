"""Importing on the page of sessions: progress, Cancel, and the report."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.test_import_progress import held_up, many

pytestmark = pytest.mark.browser

SOME = re.compile(r"\b1\d\d sessions imported\.")
"""The first batch has 100; what had been read beyond it is imported too."""


@pytest.fixture
def chosen(serve, visit, tmp_path):
    """Opens the page of sessions with that many conversations chosen in its form."""

    def opened(count, **options):
        file = tmp_path / "conversations.json"
        file.write_bytes(many(count))
        page = visit(serve("--backend", "mock"), "/sessions", **options).page
        page.get_by_label("Files to import").set_input_files(file)
        return page

    return opened


def test_an_import_shows_its_progress_and_is_cancelled(chosen, home):
    page = chosen(400)
    with held_up(home):
        page.get_by_role("button", name="Import", exact=True).click()
        expect(page.locator("#importProgress")).to_contain_text(re.compile(r"Importing: 0 sessions so far"))
        page.locator("#importProgress").get_by_role("button", name="Cancel").click()
        expect(page.locator("#importProgress")).to_contain_text("Cancelling")
    expect(page.locator("#import")).to_contain_text(SOME)
    expect(page.locator("#import")).to_contain_text("Stopped: it was cancelled.")
    expect(page.locator("#announcer")).to_contain_text(SOME)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    page.get_by_role("link", name="Show them").click()
    expect(page.get_by_text(re.compile(r"^c\d+$")).first).to_be_visible()


def test_the_progress_is_followed_also_after_a_failed_request(chosen, home):
    page = chosen(400)
    with held_up(home):
        page.get_by_role("button", name="Import", exact=True).click()
        expect(page.locator("#importProgress")).to_contain_text("Importing: 0 sessions so far")
        with page.expect_event("requestfailed", lambda request: "/import/" in request.url):
            page.route("**/sessions/import/*", lambda route: route.abort(), times=1)
        with page.expect_response(re.compile("/sessions/import/")) as polled:
            pass
        assert polled.value.ok
    expect(page.locator("#import")).to_contain_text("400 sessions imported.")


def test_an_import_says_on_the_page_what_came(chosen):
    page = chosen(3)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#import")).to_contain_text("3 sessions imported.")


def test_a_report_goes_when_the_next_import_begins(chosen, home, tmp_path):
    page = chosen(3)
    damaged = tmp_path / "damaged.json"
    damaged.write_text("{")
    files, button = page.get_by_label("Files to import"), page.get_by_role("button", name="Import", exact=True)
    files.set_input_files(damaged)
    button.click()
    expect(page.locator("#import")).to_contain_text("0 sessions imported.")
    expect(page.get_by_role("link", name="Show them")).to_have_count(0)
    files.set_input_files(tmp_path / "conversations.json")
    with held_up(home):
        button.click()
        expect(page.locator("#importProgress")).to_contain_text("Importing: 0 sessions so far")
        expect(page.locator("#import")).not_to_contain_text("0 sessions imported.")
    expect(page.locator("#import")).to_contain_text("3 sessions imported.")
    expect(page.get_by_role("link", name="Show them")).to_be_visible()


def test_the_form_stands_apart_from_what_is_around_it(chosen):
    page = chosen(3)
    form, above = page.locator("#importForm"), page.get_by_role("link", name="JSON Lines")
    below = page.get_by_text("Takes our own JSON Lines")
    assert _gap(above, form) >= 8
    assert _gap(form, below) >= 8
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#import")).to_contain_text("3 sessions imported.")
    assert _gap(page.locator("#importForm"), page.locator("#import").get_by_text("3 sessions imported.")) >= 8


def _gap(above, below):
    upper, lower = above.bounding_box(), below.bounding_box()
    return lower["y"] - upper["y"] - upper["height"]


def test_an_import_with_javascript_off(chosen):
    page = chosen(3, java_script_enabled=False)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", name="Import")).to_be_visible()
    expect(page.locator("#main")).to_contain_text("3 sessions imported.")
