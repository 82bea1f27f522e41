"""A stream that is cut anywhere, any number of times: the page ends up with what is stored."""

from __future__ import annotations

import json
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import HTMX
from tests.reading import parse_events, until
from tests.scripted import ScriptedBackend
from tests.tab import OpenTab
from webchat.chat.conversation import Position
from webchat.web.context import chat_of
from webchat.web.events import PageStream
from webchat.web.window import Shown

pytestmark = pytest.mark.timeout(120)

ANSWER = [
    "# Title\n\nA *para",
    "graph* with [a link](https://a.example).\nÄ 漢字 🙂",
    "\n\n- one\n- two\n\n  still two\n",
    "\n```python\nx = 1\n",
    "\ny = 2\n```\n\n| a | b |\n|---|---|\n",
    "| 1 | 2 |\n\nThe end & <b>more</b>",
]


class Answering:
    """A session whose answer grows by a piece on request, and a page that was loaded before the question."""

    def __init__(self, app: Flask, backend: ScriptedBackend) -> None:
        self._app, self._manager = app, app.extensions["webchat"]
        self._go_on = [threading.Event() for _ in ANSWER]
        self._grown = 0
        self.session_id = self._manager.create_session().session_id
        self._html = self.fresh_page().soup.decode()
        backend.plays(*(step for pair in zip(ANSWER, self._go_on, strict=True) for step in pair))
        self._posted = self._manager.post_message(self.session_id, "question")
        self._wait()

    def grow(self) -> bool:
        """Write one more piece, or at last the end; returns whether there was any left."""
        if self._grown == len(ANSWER):
            return False
        self._go_on[self._grown].set()
        self._grown += 1
        self._wait()
        return True

    def _wait(self) -> None:
        text = "".join(ANSWER[: self._grown + 1])
        if self._grown == len(ANSWER):
            assert self._posted.wait(10)
        else:
            until(lambda: self._manager.reader.conversation(self.session_id).last.content == text)

    def page(self) -> OpenTab:
        """The page as loaded, without anything from a stream."""
        page = self.fresh_page()
        page.soup = BeautifulSoup(self._html, "html.parser")
        return page

    def fresh_page(self) -> OpenTab:
        return OpenTab(self._app.test_client(), f"/sessions/{self.session_id}")

    def connect(self, page: OpenTab) -> PageStream:
        position = page.last_id or parse_qs(urlsplit(page.stream_url).query)["after"][0]
        with self._app.test_request_context(headers=HTMX):
            session, shown = self._manager.get_session(self.session_id), Shown(None, None, takes_more=True)
            return PageStream(chat_of(), session, Position.parse(position), lambda: False, shown)

    def news(self, stream: PageStream) -> str:
        """What an open stream sends now."""
        with self._app.test_request_context(headers=HTMX):
            return next(stream.once()).partition("\n")[2]

    def stored(self) -> str:
        return json.loads(self._manager.storage.export(self.session_id).splitlines()[-1])["content"]

    def end(self) -> None:
        while self.grow():
            pass


@pytest.fixture
def begin(app, manager, backend):
    """Begins an answer whose pieces are written immediately."""
    manager.reply_times.own_write = -1.0
    begun: list[Answering] = []

    def begin() -> Answering:
        begun.append(Answering(app, backend))
        return begun[-1]

    yield begin
    for answering in begun:
        answering.end()


def events_within(sent: bytes):
    """The complete events in these bytes."""
    return parse_events(sent.decode("utf-8", "ignore"))


def come_to_the_end(answering: Answering, page: OpenTab) -> None:
    """Connect a last time, and compare with what is stored."""
    for event in parse_events(answering.news(answering.connect(page))):
        page.take(event)
    assert answering.stored() == "".join(ANSWER)
    assert page.shown() == answering.fresh_page().shown()


def test_one_cut_at_every_byte(begin):
    answering = begin()
    stream = answering.connect(answering.page())
    sent = answering.news(stream)
    while answering.grow():
        sent += answering.news(stream)
    events, raw = parse_events(sent), sent.encode()
    assert len(events) > len(ANSWER)
    seen = set()
    for cut in range(len(raw) + 1):
        taken = events_within(raw[:cut])
        assert taken == events[: len(taken)]
        seen.add(len(taken))
    # Only the events that were complete before a cut matter.
    assert seen == set(range(len(events) + 1))
    for count in seen:
        page = answering.page()
        for event in events[:count]:
            page.take(event)
        come_to_the_end(answering, page)


CONNECTIONS = st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1)), max_size=6)
"""For each connection, how often the answer grows while it is open, and after which share of its bytes it is cut."""


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(connections=CONNECTIONS)
def test_several_cuts_anywhere_while_the_answer_grows(begin, connections):
    answering = begin()
    page = answering.page()
    for growth, part in connections:
        stream = answering.connect(page)
        sent = answering.news(stream)
        for _ in range(growth):
            answering.grow()
            sent += answering.news(stream)
        raw = sent.encode()
        for event in events_within(raw[: round(part * len(raw))]):
            page.take(event)
    answering.end()
    come_to_the_end(answering, page)
