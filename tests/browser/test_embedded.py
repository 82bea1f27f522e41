"""The chat inside another Flask application, under a prefix, works live."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import expect

from tests.browser.hosts import serving
from webchat import create_blueprint
from webchat.backends.mock import MockBackend
from webchat.manager import WebChatSessionManager

pytestmark = pytest.mark.browser


@pytest.fixture
def host(home) -> Iterator[str]:
    """The address of an application with settings of its own and the chat at /apps/web-chat/."""
    app = Flask("host")
    app.get("/prefs")(lambda: "<h1>The host's settings</h1>")
    manager = WebChatSessionManager(MockBackend(0.03), home / "sessions.json")
    app.register_blueprint(
        create_blueprint(manager, settings_url="/prefs", title="Helper"), url_prefix="/apps/web-chat"
    )
    with serving(app) as address:
        yield address
        manager.close()


def test_the_chat_works_live_under_a_prefix(host, visit):
    chat = visit(host, "/apps/web-chat/")
    expect(chat.page).to_have_title("Helper")
    chat.ask("one two three " * 20)
    chat.streaming("one two")
    chat.answered()
    expect(chat.page).to_have_url(re.compile("/apps/web-chat/sessions/"))
    other = chat.tab()
    other.asked("from the other tab")
    chat.page.bring_to_front()
    expect(chat.messages).to_have_count(4)
    chat.answered()
    assert chat.texts() == other.texts()
    chat.new_session()
    chat.open_sessions()
    chat.rows.filter(has_text="one two").click()
    expect(chat.note).to_contain_text("Resumed session")
    expect(chat.messages).to_have_count(4)
    chat.page.get_by_role("link", name="Settings").click()
    expect(chat.page.get_by_role("heading", name="The host's settings")).to_be_visible()
