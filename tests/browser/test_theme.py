"""Dark, light, or the system's choice: set on the settings page, without a flash of the other one."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

DARK, LIGHT = "rgb(22, 24, 27)", "rgb(252, 252, 253)"


def background(chat) -> str:
    return chat.page.evaluate("getComputedStyle(document.body).backgroundColor")


@pytest.mark.parametrize(("scheme", "colour"), [("dark", DARK), ("light", LIGHT)])
def test_the_page_is_as_the_system_has_it(serve, visit, scheme, colour):
    assert background(visit(serve(), color_scheme=scheme)) == colour


@pytest.mark.parametrize(("theme", "against", "colour"), [("Dark", "light", DARK), ("Light", "dark", LIGHT)])
def test_the_theme_that_was_chosen_wins_over_the_systems(serve, visit, theme, against, colour):
    chat = visit(serve(), "/apps/settings/", color_scheme=against)
    chat.page.get_by_label(theme, exact=True).check()
    chat.page.get_by_role("button", name="Save").first.click()
    expect(chat.page.locator("html")).to_have_attribute("data-theme", theme.lower())
    expect(chat.page.get_by_label(theme, exact=True)).to_be_checked()
    assert background(chat) == colour
    chat.open("/")
    assert background(chat) == colour
    expect(chat.field).to_have_css("color", "rgb(230, 233, 236)" if theme == "Dark" else "rgb(27, 32, 38)")
