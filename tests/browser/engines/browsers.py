"""Firefox and WebKit as Debian ships them, driven by Selenium."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.webdriver.common.options import ArgOptions
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.file_detector import UselessFileDetector
from selenium.webdriver.remote.remote_connection import RemoteConnection
from selenium.webdriver.remote.webdriver import WebDriver

from tests.browser.engines.marionette import Marionette

Options = TypeVar("Options", bound=ArgOptions)
START = 60.0
"""Seconds that a browser may take to start, or to load a page, on a busy machine."""
SCRIPT = 5.0
"""Seconds after which a script without a response from WebKit is abandoned."""
PREFERENCES = {
    "app.normandy.enabled": False,
    "app.update.auto": False,
    "browser.aboutwelcome.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "marionette.port": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    # A mouse, which a machine without a screen lacks: fine (2), and able to hover (4).
    "ui.allPointerCapabilities": 6,
    "ui.primaryPointerCapabilities": 6,
}


def minibrowser() -> str | None:
    """WebKitGTK's test browser, which lies beside its library and not in the PATH."""
    found = sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))
    return str(found[-1]) if found else None


@contextmanager
def firefox(*, javascript: bool = True) -> Iterator[WebDriver]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        wanted = {**PREFERENCES, "javascript.enabled": javascript}
        lines = [f"user_pref({_written(name)}, {_written(value)});\n" for name, value in wanted.items()]
        Path(profile, "user.js").write_text("".join(lines))
        command = ["firefox-esr", "--headless", "--marionette", "--no-remote", "--profile", profile]
        with _running(command) as process:
            marionette = Marionette(_port(Path(profile, "MarionetteActivePort"), process), START)
            try:
                options = _options(webdriver.FirefoxOptions(), javascript)
                yield webdriver.Remote(marionette, options=options, file_detector=UselessFileDetector())
            finally:
                marionette.close()


@contextmanager
def webkit(*, javascript: bool = True) -> Iterator[WebDriver]:
    options = _options(webdriver.WebKitGTKOptions(), javascript)
    options.binary_location = minibrowser()
    options.add_argument("--automation")
    options.add_argument(f"--enable-javascript={str(javascript).lower()}")
    with _display() as display:
        service = webdriver.WebKitGTKService(shutil.which("WebKitWebDriver"), env={**os.environ, "DISPLAY": display})
        service.start()
        try:
            connection = _Connection(client_config=ClientConfig(service.service_url))
            driver = webdriver.Remote(connection, options=options, file_detector=UselessFileDetector())
            yield driver
            driver.quit()
        finally:
            service.stop()


class _Connection(RemoteConnection):
    """WebKit never responds to a script that hits a page which is being unloaded, so it is abandoned."""

    def execute(self, command: str, params: dict[str, Any]) -> Any:
        self.client_config.timeout = SCRIPT if command == Command.W3C_EXECUTE_SCRIPT else START
        return super().execute(command, params)


@contextmanager
def _display() -> Iterator[str]:
    """An X server of its own, on a free display number; nobody sees its screen."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1400x1000x24", "-nolisten", "tcp"]
    with _running(command, pass_fds=(writing,)), open(reading) as number:
        os.close(writing)
        yield f":{number.readline().strip()}"


@contextmanager
def _running(command: list[str], pass_fds: tuple[int, ...] = ()) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=pass_fds) as process:
        try:
            yield process
        finally:
            process.kill()


def _options(options: Options, javascript: bool) -> Options:
    if not javascript:
        # The answer's frame loads as long as the answer takes, so each test waits for what it needs.
        options.page_load_strategy = "none"
    return options


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    """The port that Firefox has chosen, which it writes into its profile."""
    deadline = time.monotonic() + START
    while not file.exists() or not file.read_text():
        assert process.poll() is None, "Firefox did not start"
        assert time.monotonic() < deadline, "Firefox opened no port"
        time.sleep(0.02)
    return int(file.read_text())


def _written(value: str | bool | int) -> str:
    return json.dumps(value)
