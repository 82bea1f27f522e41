"""The engines besides Chromium, each started once, and a tab in the one under test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from tests.browser.engines import browsers
from tests.browser.engines.tab import Tab
from tests.conftest import Server

ENGINES = {"firefox": browsers.firefox, "webkit": browsers.webkit}
NEEDS = {
    "firefox": {"firefox-esr": shutil.which("firefox-esr")},
    "webkit": {
        "webkit2gtk-driver": shutil.which("WebKitWebDriver"),
        "MiniBrowser": browsers.minibrowser(),
        "xvfb": shutil.which("Xvfb"),
    },
}


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    missing = [name for name, found in NEEDS[request.param].items() if not found]
    if missing:
        why = f"{' and '.join(missing)} not installed"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    return request.param


@pytest.fixture(scope="session")
def driver(engine: str) -> Iterator[WebDriver]:
    """The engine's one browser, for all tests."""
    with ENGINES[engine]() as driver:
        yield driver


@pytest.fixture(scope="session")
def scriptless(engine: str) -> Iterator[WebDriver]:
    """The engine's browser with JavaScript off."""
    with ENGINES[engine](javascript=False) as driver:
        yield driver


Visit = Callable[..., Tab]


@pytest.fixture
def visit(driver: WebDriver) -> Iterator[Visit]:
    """Opens a server's page in the engine. Each server has its own port, and so its own origin and storage."""

    def opened(server: Server, path: str = "/") -> Tab:
        return Tab(driver, server.url).open(path)

    yield opened
    driver.get("about:blank")
