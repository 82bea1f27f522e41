"""Importing on the page of sessions: how far it is, Cancel, and what came of it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.test_import_progress import held_up, many

pytestmark = pytest.mark.browser

SOME = re.compile(r"\b[5-9]\d sessions brought in\.")
"""The first batch has 50; what had been read behind it comes too."""


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
        expect(page.locator("#importProgress")).to_contain_text(re.compile(r"Importing, 0 in"))
        page.locator("#importProgress").get_by_role("button", name="Cancel").click()
        expect(page.locator("#importProgress")).to_contain_text("Cancelling")
    expect(page.locator("#import")).to_contain_text(SOME)
    expect(page.locator("#import")).to_contain_text("Stopped: it was cancelled.")
    expect(page.locator("#announcer")).to_contain_text(SOME)
    expect(page.locator("#importProgress")).to_be_empty()
    page.get_by_role("link", name="Show them").click()
    expect(page.get_by_text("c49", exact=True)).to_be_visible()


def test_an_import_says_on_the_page_what_came(chosen):
    page = chosen(3)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#import")).to_contain_text("3 sessions brought in.")


def test_an_import_with_javascript_off(chosen):
    page = chosen(3, java_script_enabled=False)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", name="Import")).to_be_visible()
    expect(page.locator("#main")).to_contain_text("3 sessions brought in.")
