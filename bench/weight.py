"""A page's network traffic: its bytes and requests, on the first visit and on the second."""

from __future__ import annotations

import gzip
import re
from typing import Any

from bench import browser, processes
from bench.client import Visitor
from bench.figures import Figure

GZIP = {"Accept-Encoding": "gzip"}


def first_visit() -> list[Figure]:
    """The first page with everything that it loads."""
    with processes.home() as home, processes.chat(home) as server:
        visitor = Visitor(server)
        page = visitor.get("/", GZIP)
        linked = re.findall(r'(?:<link [^>]*href|<script [^>]*src)="([^"]+)"', _plain(page.body))
        answers = [page, *(visitor.get(path.replace("&amp;", "&"), GZIP) for path in linked)]
    sent = sum(len(answer.body) for answer in answers)
    unpacked = sum(len(_unpacked(answer.body)) for answer in answers)
    return [
        Figure("first page with all it loads, as it is sent", sent / 1024, "KB", 40, fixed=True),
        Figure("the same uncompressed", unpacked / 1024, "KB", fixed=True),
        Figure("its requests", len(answers), "", 6, fixed=True),
    ]


def second_visit() -> list[Figure]:
    """What Chromium requests on the first visit, and transfers on the second, with a conversation to show."""
    with processes.home() as home, processes.chat(home) as server, browser.chromium() as chromium:
        context = chromium.new_context()
        page = context.new_page()
        traffic = browser.Traffic(page)
        _visit(page, server.url)
        first = len(traffic.requests)
        browser.ask(page, "hello")
        browser.wait_for_answers(page, 1)
        page.close()
        page = context.new_page()
        second = browser.Traffic(page)
        _visit(page, server.url)
    return [
        Figure("requests of Chromium, first visit", first, "", 6, fixed=True),
        Figure("bodies transferred, second visit, without the stream", len(second.bodies), "", 1, fixed=True),
    ]


def _visit(page: Any, url: str) -> None:  # noqa: ANN401
    """Open the page and let it load everything: with a stream, the network is never idle."""
    page.goto(url)
    page.wait_for_selector("#stream", state="attached")
    page.wait_for_timeout(1000)


def _unpacked(body: bytes) -> bytes:
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def _plain(body: bytes) -> str:
    return _unpacked(body).decode()
