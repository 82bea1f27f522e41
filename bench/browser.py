"""Chromium, and measurements of what a person would notice."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.figures import Skipped

FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]
PATIENCE = 60_000
WHOLE = 'article[data-role="assistant"][data-status="complete"]'
WATCH = """shown => {
  const isShown = eval(shown);
  window.measured = new Promise((resolve) => {
    let start;
    addEventListener("keydown", (event) => { start = event.timeStamp; }, {capture: true, once: true});
    // On the screen it is when the frame that has it has been made.
    const framed = () => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => resolve(performance.now() - start);
      channel.port2.postMessage(0);
    };
    const observer = new MutationObserver(() => {
      if (start === undefined || !isShown()) return;
      observer.disconnect();
      requestAnimationFrame(framed);
    });
    observer.observe(document, {childList: true, subtree: true, characterData: true, attributes: true});
  });
}"""


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser. Raises Skipped if there is none."""
    with several(1) as (browser,):
        yield browser


@contextmanager
def several(count: int) -> Iterator[list[Any]]:
    """That many browsers. Raises Skipped if there is none."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        raise Skipped("no Chromium here: install it, or name one in the variable CHROMIUM")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise Skipped("no playwright here: pip install playwright") from None
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browsers = [playwright.chromium.launch(executable_path=path, args=[*FLAGS, *root]) for _ in range(count)]
        try:
            yield browsers
        finally:
            for browser in browsers:
                browser.close()


def open_page(browser: Any, url: str) -> Any:  # noqa: ANN401
    """A new visitor's page at that address."""
    context = browser.new_context(bypass_csp=True)  # for the stop watch's `eval`, in the measured page only
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(url)
    return page


def ask(page: Any, text: str) -> None:  # noqa: ANN401
    page.fill("#messageInput", text)
    page.press("#messageInput", "Enter")


def ask_and_time(page: Any, text: str, shown: str) -> float:  # noqa: ANN401
    """Milliseconds from Enter to the frame in which the JavaScript function `shown` returns true."""
    page.fill("#messageInput", text)
    page.evaluate(WATCH, shown)
    page.press("#messageInput", "Enter")
    return float(page.evaluate("window.measured"))


def wait_for_answers(page: Any, count: int) -> None:  # noqa: ANN401
    """Wait until that many answers are complete."""
    page.wait_for_function(
        f"count => document.querySelectorAll('{WHOLE}').length === count",
        arg=count,
        polling=250,  # not with each frame: that would make the browser draw sixty a second
    )


def renderer_cpu(browser: Any) -> float:  # noqa: ANN401
    """Seconds of processor time that the pages' processes have used."""
    session = browser.new_browser_cdp_session()
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return sum(float(process["cpuTime"]) for process in found if process["type"] == "renderer")


class Traffic:
    """Records one page's network requests from now on."""

    def __init__(self, page: Any) -> None:  # noqa: ANN401
        self.requests: dict[str, str] = {}
        self._cached: set[str] = set()
        self._transferred: set[str] = set()
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.requestWillBeSent", self._request)
        session.on("Network.requestServedFromCache", lambda event: self._cached.add(event["requestId"]))
        session.on("Network.responseReceived", self._response)
        session.on("Network.dataReceived", lambda event: self._transferred.add(event["requestId"]))

    @property
    def bodies(self) -> list[str]:
        """The URLs whose bodies came over the network, without the page's open stream."""
        return [url for key, url in self.requests.items() if key in self._transferred - self._cached]

    def _request(self, event: dict[str, Any]) -> None:
        if "/events?" not in event["request"]["url"]:
            self.requests[event["requestId"]] = event["request"]["url"]

    def _response(self, event: dict[str, Any]) -> None:
        if event["response"].get("fromDiskCache"):
            self._cached.add(event["requestId"])
