"""The chat under other servers: open pages leave threads free, and end when the server does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from flask import Flask

from tests.nginx import free_port, listens
from tests.reading import until
from webchat import ChatModelBackend, WebChatSessionManager, create_blueprint

APP = """
from flask import Flask
from webchat import ChatModelBackend, WebChatSessionManager, create_app, create_blueprint

app = Flask(__name__)
app.get("/", endpoint="own")(lambda: "the application's own page")
manager = WebChatSessionManager(ChatModelBackend(lambda messages: iter(["You said: ", messages[-1]["content"]])))
app.register_blueprint(create_blueprint(manager, settings_url=""), url_prefix="/chat")
whole = create_app({"AMPLIFIER_HOME": "home", "WEBCHAT_BACKEND": "mock"})
try:
    from a2wsgi import WSGIMiddleware
    asgi = WSGIMiddleware(app, workers=16)
except ImportError:
    pass
"""


@pytest.fixture
def run(tmp_path) -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], str]]]:
    """Runs a server's module with these options on APP; returns the process and its address."""
    (tmp_path / "example.py").write_text(APP)
    started = []

    def start(module: str, *options: str) -> tuple[subprocess.Popen[bytes], str]:
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
        port = free_port()
        command = [sys.executable, "-m", module, *(option.replace("PORT", str(port)) for option in options)]
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started.append(process)
        until(lambda: listens(port) or process.poll() is not None, 20)
        assert process.poll() is None
        return process, f"http://127.0.0.1:{port}"

    yield start
    for process in started:
        process.kill()
        process.wait()


def gunicorn(run, *options: str, app: str = "example:app") -> tuple[subprocess.Popen[bytes], str]:
    return run("gunicorn", "-b", "127.0.0.1:PORT", *options, app)


def open_page(stack: ExitStack, url: str) -> str:
    """Open a page's stream; returns its first bytes."""
    stream = stack.enter_context(httpx.stream("GET", url))
    return next(stream.iter_text())


def is_open(first: str) -> bool:
    return "retry:" not in first


@pytest.mark.parametrize(("app", "prefix"), [("example:app", "/chat"), ("example:whole", "")])
def test_more_open_pages_than_threads_stop_no_page(run, app, prefix):
    _, url = gunicorn(run, "-k", "gthread", "--threads", "8", app=app)
    with ExitStack() as stack:
        streams = [open_page(stack, f"{url}{prefix}/events") for _ in range(12)]
        assert [is_open(first) for first in streams] == [True] * 4 + [False] * 8
        for _ in range(3):
            assert httpx.get(f"{url}{prefix}/").status_code == 200


def test_where_one_request_is_served_at_a_time_pages_ask_again(run):
    _, url = gunicorn(run)
    with ExitStack() as stack:
        assert not is_open(open_page(stack, f"{url}/chat/events"))
        sent = {"data": {"message": "hi"}, "headers": {"Accept": "text/plain"}}
        assert httpx.post(f"{url}/chat/messages", **sent).text == "You said: hi"


def test_the_cap_follows_the_threads_of_waitress(run):
    _, url = run("waitress", "--listen=127.0.0.1:PORT", "--threads=6", "example:app")
    with ExitStack() as stack:
        streams = [open_page(stack, f"{url}/chat/events") for _ in range(5)]
        assert [is_open(first) for first in streams] == [True] * 3 + [False] * 2
        assert httpx.get(url).text == "the application's own page"


def test_told_to_end_gunicorn_waits_for_no_open_page(run):
    process, url = gunicorn(run, "-k", "gthread", "--threads", "8", "--graceful-timeout", "100")
    with ExitStack() as stack:
        for _ in range(3):
            assert is_open(open_page(stack, f"{url}/chat/events"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_uvicorn_serves_many_at_once_and_waits_for_no_open_page(run):
    if find_spec("a2wsgi") is None:
        pytest.skip("a2wsgi is not installed")
    process, url = run("uvicorn", "--port", "PORT", "example:asgi")
    with ExitStack() as stack:
        for _ in range(3):
            assert is_open(open_page(stack, f"{url}/chat/events"))
        assert httpx.get(url).text == "the application's own page"
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


@pytest.fixture
def protected() -> Iterator[tuple[Flask, object, object]]:
    """A host application that requires its own token with every form, and the chat's blueprint."""
    wtf = pytest.importorskip("flask_wtf", reason="Flask-WTF is not installed")
    app = Flask("host")
    app.config.update(SECRET_KEY="not a secret", TESTING=True)
    csrf = wtf.CSRFProtect(app)
    app.post("/own", endpoint="own")(lambda: "done")
    manager = WebChatSessionManager(ChatModelBackend(lambda messages: iter([f"You said: {messages[-1]['content']}"])))
    yield app, csrf, create_blueprint(manager, settings_url="")
    manager.close()


def test_the_hosts_protection_of_forms_is_not_needed_for_the_chat(protected):
    app, csrf, chat = protected
    csrf.exempt(chat)
    app.register_blueprint(chat, url_prefix="/chat")
    client = app.test_client()
    sent = client.post("/chat/messages", data={"message": "hi"}, headers={"Accept": "text/plain"})
    assert sent.text == "You said: hi"
    # The chat has its own check, and the host's forms keep theirs.
    foreign = client.post("/chat/messages", data={"message": "hi"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    assert client.post("/own").status_code == 400


def test_without_the_exemption_nothing_can_be_sent(protected):
    app, _, chat = protected
    app.register_blueprint(chat, url_prefix="/chat")
    assert app.test_client().post("/chat/messages", data={"message": "hi"}).status_code == 400
