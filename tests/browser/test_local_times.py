"""Times are the reader's, not the server's."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns"])
def test_times_are_shown_in_the_readers_zone(serve, visit, zone):
    chat = visit(serve("--backend", "mock", "--mock-delay", "0"), timezone_id=zone)
    before = datetime.now(ZoneInfo(zone)).replace(second=0, microsecond=0)
    chat.asked("what time is it?")
    shown = chat.questions.last.locator("time")
    expect(shown).to_have_text(re.compile(r"^\d\d:\d\d$"))
    after = datetime.now(ZoneInfo(zone))
    text = shown.text_content()
    assert text in {before.strftime("%H:%M"), after.strftime("%H:%M")}
    assert datetime.fromisoformat(shown.get_attribute("datetime")).utcoffset().total_seconds() == 0
    chat.open_sessions()
    row = chat.rows.first.locator("time").text_content()
    assert row in {before.strftime("%H:%M"), datetime.now(ZoneInfo(zone)).strftime("%H:%M")}
