"""Shared fixtures: a chat over a scripted backend, its pages as a person reads them, and real servers."""

from __future__ import annotations

import gc
import logging
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

import httpx
import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient
from httpx import create_ssl_context
from hypothesis import HealthCheck, settings
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from tests import stored
from tests.database import database as database
from tests.database import postgres as postgres
from tests.preloaded import SHARED, ForkedProcess, Preloaded
from tests.processes import ROOT
from tests.routes import compiled_once
from tests.scripted import ScriptedBackend
from tests.stand_in import stand_in as stand_in
from webchat import create_app
from webchat.manager import WebChatSessionManager
from webchat.replies import supervisor
from webchat.storage import storage_at
from webchat.storage.protocols import Storage
from webchat.storage.temporary.engine import WithTemporary

HTMX = {"HX-Request": "true"}
# A busy machine may be slow to generate or run an example: that is not a failure.
settings.register_profile("any machine", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
IN_MEMORY = Path("/dev/shm")
ENOUGH = 4 * 2**30
"""Bytes that must be free there: twice what a whole run uses."""
LONGEST_FIRST = ("test_two_servers.py", "test_postgres.py", "test_database.py", "test_people_command.py")
"""The slowest modules start first; if they started last, everything would wait for them."""

# A disk takes milliseconds for each synced file, and tests write tens of thousands.
if "TMPDIR" not in os.environ and IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > ENOUGH:
    os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    other = "files" if config.getoption("--storage") == "postgres" else "postgres"
    config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker(other)])
    items[:] = [item for item in items if not item.get_closest_marker(other)]
    items.sort(key=lambda item: item.path.name not in LONGEST_FIRST)


def pytest_collection_finish() -> None:
    """Collect garbage less often: each collection visits all modules and tests, which are not garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options for the load on the server; the defaults leave room for a busy machine."""
    parser.addoption("--storage", choices=("files", "postgres"), default="files", help="where a chat keeps everything")
    parser.addoption("--kills", type=int, default=10, help="how often it is killed while it answers")
    parser.addoption(
        "--flood",
        type=float,
        default=2,
        help="for how many seconds it gets 100 posts a second",
    )
    parser.addoption("--people", type=int, default=50, help="how many people write to two servers at once")
    # Here what was shown must be kept. How soon it is shown and written is measured by `make soak`, which gives less.
    parser.addoption("--lateness", type=float, default=10, help="seconds of an answer that a kill may cost at most")
    parser.addoption("--outage", type=float, default=12, help="for how many seconds a database is away")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    for name in list(os.environ):
        if name.startswith("WEBCHAT_") and name != "WEBCHAT_MODELS":
            monkeypatch.delenv(name)
    if request.config.getoption("--storage") == "postgres":
        monkeypatch.setenv("WEBCHAT_DATABASE", request.getfixturevalue("database"))
    # Other programs' sessions on this machine are not read.
    monkeypatch.setenv("AMPLIFIER_HOME", "/nonexistent/amplifier")
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", "/nonexistent/claude")
    monkeypatch.setenv("CODEX_HOME", "/nonexistent/codex")
    # Tests that count a model's requests must not count these; the tests of titles enable them.
    monkeypatch.setenv("WEBCHAT_TITLES", "off")


@pytest.fixture(autouse=True)
def _documents_are_closed() -> Iterator[None]:
    yield
    stored.close()


@pytest.fixture(autouse=True)
def _log_of_commands_ends_with_them() -> Iterator[None]:
    """Undoes the log settings of a command that a test runs in this process."""
    root, own = logging.getLogger(), logging.getLogger("webchat")
    levels = root.level, own.level
    yield
    for handler in [handler for handler in root.handlers if type(handler).__module__ == "webchat.serving.logs"]:
        root.removeHandler(handler)
    root.setLevel(levels[0])
    own.setLevel(levels[1])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder for all files of this test."""
    return tmp_path / "home"


@pytest.fixture(params=["files", "memory", "postgres", "with temporary"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    """An empty storage, in each engine; the last is the first engine with temporary sessions added."""
    if request.param == "postgres":
        place = request.getfixturevalue("database")
    else:
        place = None if request.param == "memory" else tmp_path / "sessions.json"
    storage = storage_at(place)
    storage = WithTemporary(storage) if request.param == "with temporary" else storage
    yield storage
    storage.close()


@pytest.fixture
def backend() -> ScriptedBackend:
    """Answers with the test's script, or else repeats the message."""
    return ScriptedBackend()


@pytest.fixture(scope="session", autouse=True)
def _routes_compiled_once() -> Iterator[None]:
    """Each test has its own application."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", compiled_once())
        yield


@pytest.fixture(scope="session", autouse=True)
def _certificates_read_once() -> Iterator[None]:
    """Each client of a test would read those that the system trusts, for 20 ms, though it asks without TLS."""
    read = cache(create_ssl_context)

    def remembered(**how: Any) -> ssl.SSLContext:
        is_from_outside = how.get("cert") or any(name in os.environ for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
        return (create_ssl_context if is_from_outside else read)(**how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", remembered)
        yield


@pytest.fixture(scope="session", autouse=True)
def _clients_wait_for_busy_servers() -> None:
    """By default httpx waits for 5 seconds, which a busy machine may need to start a server's first answer."""
    default = signature(httpx.get).parameters["timeout"].default
    default.connect = default.read = default.write = default.pool = 60


@pytest.fixture(scope="session", autouse=True)
def _a_stop_waits_for_busy_answers() -> Iterator[None]:
    """The threads of a busy machine may need more than the usual two seconds until a stopped answer has ended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supervisor, "STOP_PATIENCE", 30.0)
        yield


@pytest.fixture
def app(home: Path, backend: ScriptedBackend) -> Iterator[Flask]:
    app = create_app({"AMPLIFIER_HOME": str(home), "TESTING": True}, backend=backend)
    yield app
    app.extensions["webchat"].close()


@pytest.fixture
def manager(app: Flask) -> WebChatSessionManager:
    return app.extensions["webchat"]


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@dataclass(frozen=True)
class ShownMessage:
    """One message as shown on a page."""

    role: str
    status: str
    text: str
    article: Tag


@dataclass(frozen=True)
class Row:
    """One row of the sessions list."""

    title: str
    short_id: str
    is_current: bool
    resume_url: str


class Page:
    """A page or a fragment, as a person reads it."""

    def __init__(self, response: TestResponse) -> None:
        self.response = response
        self.soup = BeautifulSoup(response.get_data(as_text=True), "html.parser")

    @property
    def messages(self) -> list[ShownMessage]:
        return [
            ShownMessage(
                str(article["data-role"]),
                str(article["data-status"]),
                article.select_one(".content").get_text().strip(),
                article,
            )
            for article in self.soup.select("article.message")
        ]

    @property
    def rows(self) -> list[Row]:
        return [
            Row(
                form.select_one(".title").get_text(),
                form.select_one(".id").get_text(),
                form.select_one("button").has_attr("aria-current"),
                str(form["action"]),
            )
            for form in self.soup.select("li form:has(button.row)")
        ]

    @property
    def problem(self) -> str:
        found = self.soup.select_one(".problem")
        return found.get_text(" ", strip=True) if found else ""

    @property
    def badge(self) -> str:
        return self.soup.select_one("#badge").get_text(" ", strip=True)

    @property
    def field(self) -> str:
        return self.soup.select_one("#messageInput").get_text()


@pytest.fixture
def page(client: FlaskClient) -> Callable[[str | TestResponse], Page]:
    """The page at an address, or the one in an answer."""

    def read(what: str | TestResponse) -> Page:
        return Page(client.get(what) if isinstance(what, str) else what)

    return read


class Server:
    """A real `webchat serve` in a process of its own, on a free port."""

    def __init__(self, process: ForkedProcess | subprocess.Popen[str]) -> None:
        self.process = process
        self.output: list[str] = []
        self.errors: list[str] = []
        self.url = self._address()
        self._readers = [
            threading.Thread(target=lines.extend, args=(stream,), daemon=True)
            for stream, lines in ((self.process.stdout, self.output), (self.process.stderr, self.errors))
        ]
        for reader in self._readers:
            reader.start()

    def _address(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if found := re.search(r"http://\S+?(?=/)", line):
                return found[0]
        raise AssertionError(f"the server did not start: {self.process.stderr.read()}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """End it with SIGTERM; returns its exit code. All of its output has been read by then."""
        self.process.terminate()
        code = self.process.wait(timeout=60)
        for reader in self._readers:
            reader.join(timeout=30)
        return code


@pytest.fixture(scope="session", autouse=True)
def _preloaded_ends() -> Iterator[None]:
    yield
    SHARED.close()


@pytest.fixture(scope="session")
def preloaded() -> Preloaded:
    return SHARED.get()


@pytest.fixture
def serve(home: Path, preloaded: Preloaded) -> Iterator[Callable[..., Server]]:
    """Starts real servers on this test's folder, and ends them with the test.

    With `afresh` the command itself is started, for tests of its command line or environment.
    """
    started: list[Server] = []

    def start(*options: str, env: dict[str, str] | None = None, afresh: bool = False) -> Server:
        arguments = ["serve", "--home", str(home), "--port", "0", *(options or ("--backend", "mock"))]
        env = {**os.environ, **(env or {})}
        if afresh:
            command = [sys.executable, "-um", "webchat", *arguments]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            started.append(Server(subprocess.Popen(command, text=True, env=env, cwd=ROOT, **pipes)))
        else:
            started.append(Server(preloaded.start(arguments, env)))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.kill()
