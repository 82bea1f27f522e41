"""An answer of 2,000 words as the page receives it: bytes, and processor time on both sides."""

from __future__ import annotations

from html.parser import HTMLParser

from bench import browser, processes
from bench.client import Visitor
from bench.crowd import visit
from bench.figures import Figure, Wrong
from bench.texts import SHAPES
from webchat.render.markdown import markdown

WORDS, RATE = 2_000, 50
WHAT = {
    "essay": "an answer of 2,000 words",
    "code": "a block of code of 2,000 words",
    "table": "a table of 2,000 words",
}
KILOBYTES, SERVER, RENDERER = {"essay": 68, "code": 180, "table": 68}, 1.0, 2.0


def long_blocks() -> list[Figure]:
    """The same for one long block of code and one long table."""
    return [figure for shape in ("code", "table") for figure in (*wire(shape), *renderer(shape))]


def wire(shape: str = "essay") -> list[Figure]:
    """The bytes of the stream, and the server's cost of sending it."""
    with processes.home() as home, processes.paced_chat(home) as server:
        session = Visitor(server).new_session()
        before = server.cpu()
        (found,) = visit(server, "essay", [session], f"{shape} {WORDS} at {RATE}")["visits"]
        cpu = server.cpu() - before
    kilobytes = found["bytes"] / 1024
    return [
        Figure(f"{WHAT[shape]}, as it is sent", kilobytes, "KB", KILOBYTES[shape], fixed=True),
        Figure("server's CPU for it", cpu, "s", SERVER),
    ]


def renderer(shape: str = "essay") -> list[Figure]:
    """Chromium's cost of showing it; the shown text must be correct."""
    with processes.home() as home, processes.paced_chat(home) as server, browser.chromium() as chromium:
        page = browser.open_page(chromium, server.url)
        browser.ask(page, "essay 20 at 50")
        browser.wait_for_answers(page, 1)
        before = browser.renderer_cpu(chromium)
        browser.ask(page, f"{shape} {WORDS} at {RATE}")
        browser.wait_for_answers(page, 2)
        cpu = browser.renderer_cpu(chromium) - before
        shown = page.locator('article[data-role="assistant"] .content').last.inner_html()
    if _text(str(markdown("".join(SHAPES[shape](WORDS))))) != _text(shown):
        raise Wrong(f"{WHAT[shape]} did not arrive as it was said")
    return [Figure(f"the renderer's CPU for {WHAT[shape]}", cpu, "s", RENDERER)]


def _text(html: str) -> str:
    parts: list[str] = []
    parser = HTMLParser()
    parser.handle_data = parts.append  # type: ignore[assignment, method-assign]
    parser.feed(html)
    return " ".join("".join(parts).split())
