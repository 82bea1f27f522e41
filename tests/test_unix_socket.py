"""The chat on a unix socket: for its owner and perhaps a group, and for no other account on the machine."""

from __future__ import annotations

import shutil
import socket
import stat
import subprocess

import httpx
import pytest
from click.testing import CliRunner

from tests.nginx import block
from tests.nginx import nginx as nginx
from webchat.cli import main


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.sock"


def client(path) -> httpx.Client:
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://localhost")


def listen_at(serve, path):
    return serve("--backend", "mock", "--host", f"unix:{path}")


def test_the_whole_chat_on_a_unix_socket(serve, path):
    server = listen_at(serve, path)
    assert any(str(path) in line for line in server.output)
    with client(path) as browser:
        sent = browser.post("/messages", data={"message": "hi"}, headers={"Accept": "text/plain"})
        assert sent.text == "Mock response to: hi"
        assert "Mock response to: hi" in browser.get("/", follow_redirects=True).text
        assert browser.get("/apps/settings/servers").status_code == 200
        assert browser.get("/", headers={"Host": "evil.example"}).status_code == 421
    assert server.terminate() == 0
    assert not path.exists()
    assert any("GET / " in line and "127.0.0.1" in line for line in server.errors)


def test_curl_reaches_it(serve, path):
    if not shutil.which("curl"):
        pytest.skip("there is no curl here")
    listen_at(serve, path)
    command = ["curl", "-s", "--unix-socket", path, "-H", "Accept: text/plain", "-d", "message=hi"]
    said = subprocess.run([*command, "http://localhost/messages"], capture_output=True, text=True, check=True)
    assert said.stdout == "Mock response to: hi"


@pytest.mark.parametrize(("umask", "mode"), [("022", 0o640), ("077", 0o600), ("007", 0o660)])
def test_it_is_closed_to_others(serve, path, umask, mode):
    with subprocess.Popen(
        ["sh", "-c", f"umask {umask}; exec {shutil.which('python3')} -c '{LISTEN}' {path}"],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(__import__("sys").path)},
    ) as process:
        assert process.stdout.readline() == b"listens\n"
        assert stat.S_IMODE(path.stat().st_mode) == mode
        process.kill()


LISTEN = 'import sys; from webchat.serving import listening; s = listening.listen("unix:" + sys.argv[1], 0); '
LISTEN += 'print("listens", flush=True); s.accept()'


def test_what_a_dead_server_left_is_replaced(serve, path):
    listen_at(serve, path).kill()
    assert path.exists()
    listen_at(serve, path)
    with client(path) as browser:
        assert browser.get("/healthz").status_code == 200


def test_a_running_servers_socket_is_not_taken(serve, path):
    listen_at(serve, path)
    told = CliRunner().invoke(main, ["serve", "--backend", "mock", "--host", f"unix:{path}"])
    assert told.exit_code == 1
    assert "another server is listening there" in told.output
    with client(path) as browser:
        assert browser.get("/healthz").status_code == 200


def test_nothing_but_a_socket_is_ever_replaced(home, tmp_path, path):
    path.write_text("words of somebody's")
    link = tmp_path / "link"
    link.symlink_to(path)
    for taken in (path, link, tmp_path):
        told = CliRunner().invoke(main, ["serve", "--home", str(home), "--backend", "mock", "--host", f"unix:{taken}"])
        assert told.exit_code == 1
        assert "exists and is not a socket" in told.output
    assert path.read_text() == "words of somebody's"
    assert link.is_symlink()


@pytest.mark.parametrize("name", ["missing/chat.sock", "x" * 200])
def test_a_path_that_cannot_be_is_told(home, tmp_path, name):
    host = f"unix:{tmp_path / name}"
    told = CliRunner().invoke(main, ["serve", "--home", str(home), "--backend", "mock", "--host", host])
    assert told.exit_code == 1
    assert "Cannot listen on" in told.output
    assert "Traceback" not in told.output


def test_doctor_looks_at_it(home, path, monkeypatch):
    monkeypatch.setenv("WEBCHAT_BACKEND", "mock")
    monkeypatch.setenv("WEBCHAT_HOST", f"unix:{path}")
    assert "fine     server" in CliRunner().invoke(main, ["doctor", "--home", str(home)]).output
    assert not path.exists()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(1)
        assert "another server is listening there" in CliRunner().invoke(main, ["doctor", "--home", str(home)]).output
    path.unlink()
    path.write_text("")
    assert "exists and is not a socket" in CliRunner().invoke(main, ["doctor", "--home", str(home)]).output


def test_nginx_passes_requests_on_to_it(nginx, serve, path):
    serve("--backend", "mock", "--proxies", "1", "--host", f"unix:{path}", env={"WEBCHAT_TOKEN": "t" * 20})
    config = block("nginx").replace("http://127.0.0.1:8000", f"http://unix:{path}")
    url = nginx(config, "unused")
    with httpx.Client(verify=False, follow_redirects=True) as browser:
        assert browser.get(f"{url}/?token={'t' * 20}").status_code == 200
        assert browser.post(f"{url}/messages", data={"message": "hi"}, headers={"Origin": url}).status_code == 200
