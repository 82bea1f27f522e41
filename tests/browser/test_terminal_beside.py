"""A terminal and a page on the same session: each shows the other's messages as they grow."""

from __future__ import annotations

import pytest

from tests.scripted_server import DONE, ended, sends
from tests.terminals import MODEL, Terminal

pytest.importorskip("prompt_toolkit")
Typing = pytest.importorskip("tests.pseudo_terminal").Typing
pytestmark = pytest.mark.browser


@pytest.mark.parametrize("place", ["folder", "server"])
def test_a_terminal_and_a_page_show_each_other(serve_model, model, visit, home, gates, preloaded, place):
    model.script(
        sends("From the **terminal**", gates[0], " it came.", ended(), DONE),
        sends("From the *page*", gates[1], " it came.", ended(), DONE),
        sends("One", gates[2], ended(), DONE),
    )
    server = serve_model("--titles", "off")
    at = ["--home", str(home)] if place == "folder" else ["--url", server.url]
    who = [*MODEL, "--base-url", model.url] if place == "folder" else []
    typing = Typing(Terminal(preloaded, at, who).typed("chat"))
    try:
        typing.until("Write a message, or /help.")
        typing.says("hello from the terminal")
        typing.until("From the **terminal**")
        page = visit(server).ready()
        page.streaming("From the terminal")
        gates[0].set()
        page.answered()
        typing.until("From the terminal it came.")
        page.ask("hello from the page")
        typing.until("› hello from the page", "From the *page*")
        gates[1].set()
        typing.until("From the page it came.")
        typing.says("count")
        page.streaming("One")
        typing.types("\x03")
        page.answered("stopped")
        typing.until("(stopped)")
        assert page.texts()[:4] == [
            "hello from the terminal",
            "From the terminal it came.",
            "hello from the page",
            "From the page it came.",
        ]
    finally:
        typing.close()
