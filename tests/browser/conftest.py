"""Fixtures of the browser tests: one Chromium, a fresh context for each visitor, checks that apply to every page."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Request, WebError, expect, sync_playwright

from tests.browser.chat_page import ChatPage
from tests.conftest import Server
from tests.scripted_server import ScriptedServer

PATIENCE = 30_000
"""The timeout in milliseconds for anything on a page, on a busy machine."""
FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        why = "there is no Chromium here; install it, or name one in the variable CHROMIUM"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *root])
        yield browser
        browser.close()


class Troubles:
    """What happened in a page that must never happen: an uncaught error, a blocked resource, a call elsewhere."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.origins: set[str] = set()

    def watch(self, context: BrowserContext) -> None:
        context.on("weberror", self._error)
        context.on("console", self._console)
        context.on("request", self._request)

    def _error(self, error: WebError) -> None:
        self.found.append(f"uncaught: {error.error}")

    def _console(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.found.append(f"blocked: {message.text}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if f"{parts.scheme}://{parts.netloc}" not in self.origins:
            self.found.append(f"asked elsewhere: {request.url}")


@pytest.fixture
def troubles() -> Iterator[Troubles]:
    troubles = Troubles()
    yield troubles
    assert troubles.found == []


Visit = Callable[..., ChatPage]


@pytest.fixture
def visit(chromium: Browser, troubles: Troubles) -> Iterator[Visit]:
    """Opens a server's page as a new visitor; the options are a browser context's, `path` the page."""
    contexts: list[BrowserContext] = []

    def opened(server: Server | str, path: str = "/", **options: Any) -> ChatPage:
        url = server if isinstance(server, str) else server.url
        parts = urlsplit(url)
        troubles.origins.add(f"{parts.scheme}://{parts.netloc}")
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        troubles.watch(context)
        return ChatPage(context.new_page(), url).open(path)

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def model() -> Iterator[ScriptedServer]:
    """A scripted model server."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def gates() -> Iterator[list[threading.Event]]:
    """What a scripted answer may wait for; opened at the end, so that no thread is left behind."""
    gates = [threading.Event() for _ in range(3)]
    yield gates
    for gate in gates:
        gate.set()


@pytest.fixture
def serve_model(serve: Callable[..., Server], model: ScriptedServer) -> Callable[..., Server]:
    """Starts a chat whose answers come from `model`."""

    def start(*options: str) -> Server:
        return serve("--backend", "openai", "--base-url", model.url, "--model", "m", *options)

    return start
