"""A real nginx with the configuration in docs/deploy.md."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.database import free_port as free_port
from tests.reading import until

DOCS = (Path(__file__).parent.parent / "docs" / "deploy.md").read_text("utf-8")


def block(name: str) -> str:
    return re.search(rf"<!-- {name} -->\n```nginx\n(.*?)```", DOCS, re.DOTALL)[1]


def make_certificate(folder: Path) -> None:
    """Put a `cert` for localhost, and its `key`, into the folder."""
    subject = ["-subj", "/CN=localhost", "-days", "1", "-keyout", folder / "key", "-out", folder / "cert"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def nginx(tmp_path):
    """Runs nginx with a `server` block of the page, adapted to this machine; returns its address."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.fail("nginx is missing") if os.environ.get("CI") else pytest.skip("there is no nginx here")
    started = []

    def start(server: str, backend: str) -> str:
        port = free_port()
        make_certificate(tmp_path)
        server = server.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl").replace("127.0.0.1:8000", backend)
        server = re.sub(r"/etc/ssl/private/\S+;", f"{tmp_path}/key;", server)
        server = re.sub(r"/etc/ssl/\S+;", f"{tmp_path}/cert;", server)
        server = server.replace("/etc/nginx/chat.htpasswd", f"{tmp_path}/people")
        server = server.replace("/var/log/nginx/chat.log", f"{tmp_path}/log")
        (tmp_path / "people").write_text("ada:{PLAIN}lovelace\nbob:{PLAIN}builder\n")
        temporary = "\n".join(
            f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;" if os.geteuid() == 0 else ""
        (tmp_path / "nginx.conf").write_text(
            f"{user} daemon off; pid {tmp_path}/pid; error_log {tmp_path}/errors;"
            f"events {{}} http {{ {temporary} {server} }}"
        )
        process = subprocess.Popen([program, "-c", tmp_path / "nginx.conf", "-e", tmp_path / "errors"])
        started.append(process)
        until(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None, (tmp_path / "errors").read_text()
        return f"https://localhost:{port}"

    yield start
    for process in started:
        process.terminate()
        process.wait(10)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
