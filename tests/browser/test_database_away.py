"""The database goes away while pages are open: they say so, keep unsent text, and recover by themselves."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.database import server as cluster

pytestmark = pytest.mark.browser


def test_a_page_says_that_it_is_lost_and_goes_on_when_the_database_is_back(serve, visit):
    with cluster() as database:
        options = ("--backend", "mock", "--mock-delay", "0.1")
        env = {"WEBCHAT_DATABASE": database.url()}
        here, other = (serve(*options, env=env) for _ in range(2))
        chat = visit(here)
        chat.asked("hello")
        chat.answered()
        path = chat.page.url.removeprefix(here.url)
        database.stop()
        expect(chat.page.locator("#reconnecting")).to_be_visible()
        chat.ask("are you there?")
        expect(chat.problem.get_by_role("alert")).to_contain_text("database")
        expect(chat.field).to_have_value("are you there?")
        database.start()
        expect(chat.page.locator("#reconnecting")).to_be_hidden()
        expect(chat.field).to_have_value("are you there?")
        chat.page.request.post(f"{other.url}{path}/messages", form={"message": "from elsewhere"})
        expect(chat.messages).to_have_count(4)
        chat.answered()
        chat.field.press("Enter")
        expect(chat.messages).to_have_count(6)
        chat.answered()
        assert chat.texts()[2:5] == ["from elsewhere", "Mock response to: from elsewhere", "are you there?"]
