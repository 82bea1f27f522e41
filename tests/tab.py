"""Simulates the swaps of a page in a browser's tab: applies responses of forms and events of its stream like htmx."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from copy import copy
from queue import Queue

from bs4 import BeautifulSoup, NavigableString, Tag
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import HTMX
from tests.reading import SentEvent, chunks, parse_events

PATIENCE = 30
"""Seconds to wait for a stream's next bytes."""


class EventStream:
    """One open stream, read by a thread of its own, like a server's; `close` simulates the browser's leaving."""

    def __init__(self, client: FlaskClient, url: str, headers: dict[str, str]) -> None:
        self._pieces: Queue[str | Exception | None] = Queue()
        self._gone = threading.Event()
        self._manager = client.application.extensions["webchat"]
        self._thread = threading.Thread(target=self._run, args=(client, url, headers), daemon=True)
        self._thread.start()

    def _run(self, client: FlaskClient, url: str, headers: dict[str, str]) -> None:
        try:
            environ = {"waitress.client_disconnected": self._gone.is_set}
            with client.get(url, headers=headers, environ_overrides=environ, buffered=False) as answer:
                assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
                for piece in chunks(answer):
                    self._pieces.put(piece)
            self._pieces.put(None)
        except Exception as error:
            self._pieces.put(error)

    def next(self) -> str | None:
        """The next bytes; None at the end."""
        piece = self._pieces.get(timeout=PATIENCE)
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        self._gone.set()
        self._manager.storage.bus.publish_all()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


class OpenTab:
    """One page and its stream. A swap whose target is not on the page changes nothing."""

    def __init__(self, client: FlaskClient, path: str) -> None:
        self.client = client
        self.soup = BeautifulSoup(client.get(path).text, "html.parser")
        self.events: list[SentEvent] = []
        self.last_id = ""
        self._stream: EventStream | None = None

    @property
    def stream_url(self) -> str:
        return self.soup.select_one("#stream")["hx-sse:connect"]

    @property
    def targets(self) -> list[str]:
        """The targets of the events so far."""
        found = [BeautifulSoup(event.data, "html.parser").find_all("hx-partial") for event in self.events]
        return [tag["hx-target"] for tags in found for tag in tags]

    def connect(self, url: str | None = None) -> OpenTab:
        """Open the stream; if there was one before, from where it ended."""
        self.close()
        headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
        self._stream = EventStream(self.client.application.test_client(), url or self.stream_url, headers)
        # The first bytes open it: whatever happens after this call reaches the stream.
        self._take(self._stream.next())
        return self

    def read(self, enough: Callable[[OpenTab], bool]) -> OpenTab:
        """Take events until `enough`, or until the stream ends."""
        assert self._stream is not None
        while not enough(self):
            piece = self._stream.next()
            if piece is None:
                break
            self._take(piece)
        return self

    def _take(self, piece: str | None) -> None:
        if piece is not None:
            assert piece.endswith("\n\n"), "an event comes in one piece"
            for event in parse_events(piece):
                self.take(event)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def take(self, event: SentEvent) -> None:
        self.events.append(event)
        self.last_id = event.id or self.last_id
        if event.name == "message" and not event.comment:
            self.swap(event.data)
        elif event.name == "more":
            target, *growth = json.loads(event.data)
            element = self.soup.find(id=target)
            if element is not None:
                grow(element, *growth)

    def post(self, path: str, **fields: str) -> TestResponse:
        """Post a form as htmx does, and swap the response."""
        answer = self.client.post(path, data=fields, headers=HTMX)
        self.swap(answer.text)
        return answer

    def swap(self, html: str) -> None:
        # Like htmx: look up all targets before the first swap.
        parts = BeautifulSoup(html, "html.parser").find_all("hx-partial")
        found = [(part, self.soup.select_one(part["hx-target"])) for part in parts]
        for part, target in found:
            if target is not None:
                _swap(target, part["hx-swap"], [copy(child) for child in part.contents])

    def shown(self) -> list[tuple[str, str, str]]:
        """Each message: its id, its status, and its content as HTML without the marks of a growing one."""
        return [
            (article["id"], article["data-status"], _content(article))
            for article in self.soup.select("#messages article.message")
        ]

    @property
    def last_status(self) -> str:
        return self.shown()[-1][1] if self.shown() else ""


def grow(element: Tag, path: list[int], elements: int, letters: int, html: str, *outer: str) -> None:
    """Adds an event's text to an element, as the page's script does."""
    for past in path:
        element = [child for child in element.children if isinstance(child, Tag)][-1 - past]
    while elements:
        elements -= isinstance(element.contents[-1], Tag)
        element.contents[-1].extract()
    text = str(element.contents[-1].extract()) if letters else ""
    assert len(text.encode("utf-16-le")) // 2 >= letters
    _append(element, text.encode("utf-16-le")[: -2 * letters].decode("utf-16-le") if letters else "", html)
    for more in outer:
        for behind in [*element.next_siblings]:
            behind.extract()
        element = element.parent
        _append(element, "", more)


def _append(element: Tag, text: str, html: str) -> None:
    # In any other element, the parser collapses several line ends into one.
    new = [copy(child) for child in BeautifulSoup(f"<pre>{html}</pre>", "html.parser").pre.contents]
    element.extend([NavigableString(text), *new])
    element.smooth()  # merges adjacent texts


def _content(article: Tag) -> str:
    blocks = article.select(".content > .blocks")
    return "".join(part.decode_contents() for part in blocks)


def _swap(target: Tag, how: str, new: list) -> None:
    if how in ("outerHTML", "outerMorph"):
        for kept in [found for tag in new if isinstance(tag, Tag) for found in tag.select("[hx-morph-skip-children]")]:
            kept.extend([*target.find(id=kept["id"]).contents])
            del kept["hx-morph-skip-children"]  # it is for htmx only
        target.replace_with(*new)
    elif how == "innerHTML":
        target.clear()
        target.extend(new)
    elif how == "beforeend":
        target.extend(new)
    else:
        raise AssertionError(f"an unknown swap: {how}")
