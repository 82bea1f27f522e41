"""Secrets never leak: a key, a password and a token are searched for everywhere after many actions and failures."""

from __future__ import annotations

import base64
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote

import httpx
import psutil
import pytest

from tests.conftest import Server
from tests.processes import ROOT
from tests.reading import until
from tests.scripted_server import SILENCE, Answer, ScriptedServer, refuses, says, sends
from tests.test_headers import FACES, path_of, routes
from webchat import create_app

KEY = "sk-planted-0123456789abcdef"
PASSWORD = "plan/ted@p4ssw0rd"
TOKEN = "token-planted-0123456789"
HEADER = "header-planted-0123456789"
PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
LOGIN = f"someone:{quote(PASSWORD, safe='')}"
PLANTED = {
    "key": KEY,
    "password": PASSWORD,
    "password in an address": quote(PASSWORD, safe=""),
    "login in a header": base64.b64encode(f"someone:{PASSWORD}".encode()).decode(),
    "token": TOKEN,
    "header": HEADER,
}


def found_in(what: str, text: str | bytes) -> list[str]:
    """The secrets found in it."""
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return [f"{name} in {what}" for name, secret in PLANTED.items() if secret in text]


@pytest.fixture
def model() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def address(model) -> str:
    return f"http://{LOGIN}@{model.address}/v1"


class Search:
    """Sends requests to a server, and collects the secrets found in the responses."""

    def __init__(self, server: Server) -> None:
        plain = {"Authorization": f"Bearer {TOKEN}", "Accept-Encoding": "identity"}
        self._http = httpx.Client(base_url=server.url, headers=plain)
        self.found: list[str] = []
        self.asked = 0

    def ask(self, method: str, path: str, **more) -> httpx.Response:
        with self._http.stream(method, path, **more) as answer:
            body = self._read(answer)
        answer = httpx.Response(answer.status_code, headers=answer.headers, content=body)  # a stream's text so far
        self.asked += 1
        self.found += found_in(f"{method} {path} {more}", body)
        self.found += found_in(f"headers of {method} {path}", repr([*answer.headers.items()]))
        return answer

    @staticmethod
    def _read(answer: httpx.Response) -> bytes:
        body = b""
        for part in answer.iter_bytes():
            body += part
            if answer.request.url.path.endswith("/events"):
                break
        return body

    def talk(self, count: int) -> None:
        """Send messages in all formats, each of which the model server answers differently."""
        session = self.ask("POST", "/api/session", json={}).json()["session_id"]
        for number in range(count):
            face = [*FACES.values()][number % len(FACES)]
            with suppress(httpx.RemoteProtocolError):  # which is how an answer as text breaks off
                self.ask("POST", f"/sessions/{session}/messages", data={"message": f"question {number}"}, headers=face)
            self._until_answered(session)

    def _until_answered(self, session: str) -> None:
        def is_answered() -> bool:
            messages = self.ask("GET", f"/sessions/{session}", headers=FACES["JSON"]).json()["messages"]
            return messages[-1]["role"] == "assistant" and messages[-1]["status"] not in ("waiting", "streaming")

        until(is_answered, patience=60)


@pytest.fixture
def serve(serve):
    """Real commands: the process list is searched."""
    return partial(serve, afresh=True)


def failures(where: str, *sent: str) -> list[Answer]:
    """The ways in which a model server there fails and repeats what it was sent."""
    echo = {"error": {"message": "Not with " + ", ".join(sent)}}
    return [
        refuses(401, echo),
        refuses(403, echo),
        refuses(404, echo),
        refuses(400, echo),
        refuses(500, echo),
        refuses(503, "<html>" + echo["error"]["message"]),
        refuses(307, "", {"Location": f"http://{LOGIN}@{where}/{sent[0]}"}),
        sends("Well", echo),
        sends("Well", ends="reset"),
        sends(b"data: {" + sent[0].encode() + b"\n\n"),
        sends(before=[SILENCE]),
        Answer([sent[0].encode()], 200, {"Content-Type": f"text/{sent[0]}"}),
        says("Fine."),
    ]


def visit_everything(search: Search, home: Path) -> None:
    """Each route that reads, in each format, with an existing session and message."""
    sessions = search.ask("GET", "/api/sessions").json()["sessions"]
    session_id = sessions[0]["session_id"]
    shown = search.ask("GET", f"/sessions/{session_id}", headers=FACES["JSON"]).json()
    app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_BACKEND": "mock", "WEBCHAT_TOKEN": TOKEN})
    for method, rule in routes(app).values():
        path = path_of(rule, session_id, shown["messages"][0]["id"])
        if method == "GET":
            path += f"?session={session_id}" if rule.rule == "/events" else ""
            for face in FACES.values():
                search.ask(method, path, headers=face)
    for kind in ("md", "html", "jsonl"):
        search.ask("GET", f"/sessions/export?format={kind}")
    search.ask("GET", f"/?token={TOKEN}")
    search.ask("GET", "/", headers={"Authorization": "Bearer wrong"})


def use_the_settings(search: Search, address: str) -> None:
    """Test, save, and send what cannot be saved."""
    for face in FACES.values():
        search.ask("POST", "/apps/settings/test", data={}, headers=face)
        search.ask("POST", "/apps/settings/test", data={"base_url": address, "api_key": KEY}, headers=face)
        search.ask("POST", "/apps/settings/", data={"temperature": "9", "api_key": KEY}, headers=face)
        search.ask("POST", "/apps/settings/", data={"api_key": KEY + "é", "backend": "openai"}, headers=face)
        search.ask("POST", "/apps/settings/", data={"base_url": f"{LOGIN}@nowhere"}, headers=face)


def command_lines(process: psutil.Process) -> Iterator[str]:
    for one in (process, *process.children(recursive=True)):
        yield "\0".join(one.cmdline())


def assert_nowhere(search: Search, server: Server, home: Path) -> None:
    assert search.asked > 100
    found = search.found
    for line in command_lines(psutil.Process(server.process.pid)):
        found += found_in("a command line", line)
    assert server.terminate() == 0
    found += found_in("standard output", "".join(server.output))
    found += found_in("standard error", "".join(server.errors))
    for file in home.rglob("*"):
        assert file.is_dir() or stat.S_IMODE(file.stat().st_mode) == 0o600, file
        if file.is_file() and file.name != "web-chat-settings.json":
            found += found_in(file.name, file.read_bytes())
    assert found == []


def started(serve, how: str, address: str) -> Server:
    """A server that got the secrets in this way."""
    options = ["--backend", "openai", "--model", "m", "--read-timeout", "0.5"]
    variables = {"WEBCHAT_API_KEY": KEY, "WEBCHAT_BASE_URL": address, "WEBCHAT_TOKEN": TOKEN}
    variables["WEBCHAT_HEADER"] = f"X-One: 1\nX-Own: {HEADER}"
    if how == "variables":
        return serve(*options, env=variables)
    if how == "flags":
        headers = ("--header", "X-One: 1", "--header", f"X-Own: {HEADER}")
        return serve(*options, "--api-key", KEY, f"--base-url={address}", "--token", TOKEN, *headers)
    server = serve("--read-timeout", "0.5", "--backend", "openai", env={"WEBCHAT_TOKEN": TOKEN})
    data = {"base_url": address, "model": "m", "api_key": KEY if how == "the page" else ""}
    data["header"] = f"X-One: 1\nX-Own: {HEADER}"
    saved = httpx.post(f"{server.url}/apps/settings/", data=data, headers={"Authorization": f"Bearer {TOKEN}"})
    assert saved.status_code == 303
    return server


@pytest.mark.parametrize("how", ["variables", "flags", "the page", "the page, without a key"])
def test_they_are_nowhere_to_be_found(serve, model, address, home, how):
    server = started(serve, how, address)
    search = Search(server)
    sent = [*PLANTED.values()][1:4] if how.endswith("without a key") else [KEY]
    script = failures(model.address, *sent)
    model.script(*script)
    search.talk(len(script))
    used = {request.headers.get("authorization", "") for request in model.requests}
    with_login = "Basic " + PLANTED["login in a header"]
    assert used == {with_login if how.endswith("without a key") else f"Bearer {KEY}"}
    assert {request.headers.get("x-own") for request in model.requests} == {HEADER}
    model.models_answer = script[1]
    visit_everything(search, home)
    use_the_settings(search, address)
    assert_nowhere(search, server, home)


def test_what_the_page_saves_is_for_this_user_alone(serve, model, address, home):
    started(serve, "the page", address)
    path = home / "server" / "web-chat-settings.json"
    assert KEY in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "no-such"],
        ["models"],
        ["doctor"],
        ["serve", "--help"],
        ["serve", "--port", "x"],
        ["serve", "--base-url", f"{LOGIN}@nowhere"],
        ["serve", "--header", f"No header {HEADER}"],
    ],
)
def test_no_command_tells_them(home, address, preloaded, arguments):
    env = {**os.environ, "AMPLIFIER_HOME": str(home), "WEBCHAT_BACKEND": "openai"}
    env |= {"WEBCHAT_API_KEY": KEY, "WEBCHAT_BASE_URL": address, "WEBCHAT_TOKEN": TOKEN}
    env["WEBCHAT_HEADER"] = f"X-Own: {HEADER}"
    told = "".join(preloaded.start(arguments, env).communicate(timeout=60))
    assert told
    assert found_in("output", told) == []


def test_a_flag_that_was_taken_off_the_command_line_counts_as_a_flag(serve, model, home):
    server = serve("--backend", "openai", "--api-key", KEY, "--base-url", model.url, "--title", "With a space")
    fixed = httpx.get(f"{server.url}/apps/settings/", headers=FACES["JSON"]).json()["fixed_by"]
    assert {fixed["api_key"], fixed["base_url"]} == {"--api-key", "--base-url"}
    assert "With a space" in server.output[0]
    assert KEY in json.dumps(psutil.Process(server.process.pid).environ())


@pytest.mark.parametrize(
    "arguments",
    [
        ["sessions", "show", "mock-session-1", "--token", TOKEN, "--url", "{url}"],
        ["ask", "--new", "hello", f"--url=http://{LOGIN}@{{address}}"],
        ["sessions", "--url", f"{{url}}/?token={TOKEN}"],
        ["export", "--database", f"postgresql://{LOGIN}@{{address}}/chat"],
        ["people", "list", "--database", f"postgresql://{{address}}/chat?password={KEY}"],
    ],
)
def test_no_command_shows_them_in_the_list_of_processes(arguments):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        where = {"url": f"http://127.0.0.1:{port}", "address": f"127.0.0.1:{port}"}
        given = [argument.format(**where) for argument in arguments]
        with subprocess.Popen([sys.executable, "-m", "webchat", *given], cwd=ROOT, **PIPES) as process:
            silent.settimeout(30)
            silent.accept()[0].close()  # it has begun its work
            shown = "\0".join(psutil.Process(process.pid).cmdline())
            process.kill()
    assert found_in("the command line", shown) == []
    assert arguments[0] in shown


def test_no_child_is_handed_them_on(serve, model):
    # A program passes everything in its environment on to what it starts.
    code = (
        "import os; from webchat.cli import secret_flags; print(secret_flags.arguments(os.environ), dict(os.environ))"
    )
    env = {"WEBCHAT_HANDED_ON": json.dumps(["--api-key", KEY])}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.startswith(f"['--api-key', '{KEY}']")
    assert done.stdout.count(KEY) == 1
