"""A page that is open while a scripted model server answers, then reloaded, exported, and asked again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient

from tests.scripted_server import Answer, ScriptedServer
from tests.stored import documents_of
from tests.tab import OpenTab
from webchat import config, create_app
from webchat.manager import WebChatSessionManager


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    monkeypatch.setenv("NO_PROXY", "*")
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def app(server: ScriptedServer, home: Path) -> Iterator[Flask]:
    """The real chat, over the scripted server."""
    config.save(documents_of(home), {"base_url": server.url})
    app = create_app({"AMPLIFIER_HOME": str(home), "TESTING": True, "WEBCHAT_BACKEND": "openai", "WEBCHAT_MODEL": "m"})
    yield app
    app.extensions["webchat"].close()


@pytest.fixture
def sessions(client: FlaskClient, manager: WebChatSessionManager, server: ScriptedServer) -> Callable[[], Session]:
    return lambda: Session(client, manager, server)


class Session:
    """A session with one answer, and a page that is open while the second comes."""

    def __init__(self, client: FlaskClient, manager: WebChatSessionManager, server: ScriptedServer) -> None:
        self._client, self._manager, self._server = client, manager, server
        self._id = manager.create_session().session_id
        self._url = f"/sessions/{self._id}"
        self.seen = ""
        """All texts of the answer that were on the page before its end, but not as its reasoning."""
        manager.send_message("first", self._id)

    def follow(self, answer: Answer, *steps: tuple[str, Callable[[], object]]) -> Tag:
        """The second answer as it is on the page in the end, and after a reload.

        Once the text of a step is on the page, its function is called.
        """
        self._server.script(answer)
        tab = OpenTab(self._client, self._url).connect()
        try:
            posted = self._manager.post_message(self._id, "second")
            for text, step in steps:
                tab.read(lambda tab, text=text: text in self._seen_on(tab))
                step()
            posted.wait()
            tab.read(self._has_ended)
        finally:
            tab.close()
        streamed, reloaded = shown(tab.soup), shown(OpenTab(self._client, self._url).soup)
        assert streamed == reloaded, (streamed, reloaded)
        return tab.soup.select("article.message")[-1]

    def stop(self) -> None:
        self._manager.stop(self._id)

    def sent_with_the_next_question(self) -> list[tuple[str, str]]:
        """The role and content of each message that the model is then sent before the question."""
        self._manager.send_message("third", self._id)
        return [(told["role"], told["content"]) for told in self._server.questions[-1]["messages"][:-1]]

    def exported(self, form: str) -> str:
        text = self._client.get(f"{self._url}/export?format={form}").text
        return text.replace("\\_", "_")  # as Markdown escapes it

    def _seen_on(self, tab: OpenTab) -> str:
        messages = copy(tab.soup.select_one("#messages"))
        for reasoning in messages.select(".reasoning"):
            reasoning.decompose()
        text = messages.get_text()
        self.seen += text
        return text

    def _has_ended(self, tab: OpenTab) -> bool:
        is_over = len(tab.shown()) == 4 and tab.last_status not in ("waiting", "streaming")
        if not is_over:
            self._seen_on(tab)
        return is_over


def shown(soup: BeautifulSoup) -> list[Any]:
    """What a page shows of each message, with the line ends of browsers; without what only the last message shows."""
    articles = copy(soup.select_one("#messages"))
    for hidden in articles.select("form, .unanswered"):
        hidden.decompose()
    return [
        (
            article["data-status"],
            [
                part.decode_contents().replace("\r\n", "\n")
                for part in article.select(".plain, .blocks, .note, .problem p")
            ],
        )
        for article in articles.select("article.message")
    ]
