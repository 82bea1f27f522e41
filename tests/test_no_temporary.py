"""Several servers offer no temporary chats: one of them alone would know it."""

from __future__ import annotations

import pytest
from markupsafe import escape

from webchat.temporary_chats import NOT_HERE


@pytest.mark.postgres
def test_they_are_refused_in_words_and_no_page_offers_them(client, page):
    told = client.post("/sessions", data={"temporary": "1"}, headers={"Accept": "application/json"})
    assert (told.status_code, told.json) == (400, {"error": NOT_HERE})
    assert str(escape(NOT_HERE)) in client.post("/messages", data={"message": "hello", "temporary": "1"}).text
    assert not page("/sessions").soup.select("button[name=temporary]")
    assert client.get("/api/sessions").json == {"sessions": []}
