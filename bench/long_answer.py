"""An answer of 2,000 words as the page gets it: bytes, and processor time on both sides."""

from __future__ import annotations

from html.parser import HTMLParser

from bench import browser, processes
from bench.client import Visitor
from bench.crowd import visit
from bench.figures import Figure, Wrong
from bench.texts import essay
from webchat.render.markdown import markdown

WORDS, RATE = 2_000, 50
QUESTION = f"words {WORDS} at {RATE}"


def wire() -> list[Figure]:
    """What the stream sends, and what sending it costs the server."""
    with processes.home() as home, processes.paced_chat(home) as server:
        session = Visitor(server).new_session()
        before = server.cpu()
        (found,) = visit(server, "essay", [session], QUESTION)["visits"]
        cpu = server.cpu() - before
    _check(found["final"].replace("\ndata: ", "\n"))
    return [
        Figure("an answer of 2,000 words, as it is sent", found["bytes"] / 1024, "KB", 200, fixed=True),
        Figure("server's CPU for it", cpu, "s", 1),
    ]


def renderer() -> list[Figure]:
    """What showing it costs Chromium."""
    with processes.home() as home, processes.paced_chat(home) as server, browser.chromium() as chromium:
        page = browser.open_page(chromium, server.url)
        browser.ask(page, "words 20 at 50")
        browser.wait_for_answers(page, 1)
        before = browser.renderer_cpu(chromium)
        browser.ask(page, QUESTION)
        browser.wait_for_answers(page, 2)
        cpu = browser.renderer_cpu(chromium) - before
        _check(page.locator('article[data-role="assistant"] .content').last.inner_html())
    return [Figure("the renderer's CPU for an answer of 2,000 words", cpu, "s", 4)]


def _check(html: str) -> None:
    if _text(str(markdown("".join(essay(WORDS))))) not in _text(html):
        raise Wrong("the long answer did not arrive as it was said")


def _text(html: str) -> str:
    parts: list[str] = []
    parser = HTMLParser()
    parser.handle_data = parts.append  # type: ignore[assignment, method-assign]
    parser.feed(html)
    return " ".join("".join(parts).split())
