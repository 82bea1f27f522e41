"""The configurations in docs/deploy.md: nginx's, run by a real nginx in front of a real server, and systemd's."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from textwrap import dedent

import httpx
import pytest

from tests.nginx import DOCS, block
from tests.nginx import nginx as nginx

TOKEN = "a-token-of-many-characters"


def behind(nginx, serve, config: str, **env: str) -> str:
    options = ("--backend", "mock", "--mock-delay", "0.3", "--proxies", "1", "--allow-host", "chat.example.org")
    server = serve(*options, env=env)
    return nginx(config, server.url.removeprefix("http://"))


@pytest.fixture
def browser():
    with httpx.Client(verify=False, follow_redirects=True) as client:
        yield client


def test_the_whole_chat_behind_nginx_with_a_token(nginx, serve, browser, tmp_path):
    url = behind(nginx, serve, block("nginx"), WEBCHAT_TOKEN=TOKEN)
    assert browser.get(url).status_code == 401
    answer = browser.get(f"{url}/?token={TOKEN}")
    assert (answer.status_code, str(answer.url)) == (200, f"{url}/")
    assert "Secure" in answer.history[0].headers["Set-Cookie"]
    assert (
        browser.post(
            f"{url}/messages", data={"message": "hello"}, headers={"Origin": "https://evil.example"}
        ).status_code
        == 403
    )
    sent = browser.post(f"{url}/messages", data={"message": "hello"}, headers={"Origin": url})
    assert sent.status_code == 200
    assert sent.history[0].headers["Location"].startswith(("/sessions/", f"{url}/sessions/"))
    assert "hello" in sent.text
    assert browser.get(url, headers={"Host": "evil.example"}).status_code == 421
    log = (tmp_path / "log").read_text()
    assert '"GET /" 303' in log
    assert TOKEN not in log


def test_an_answer_comes_through_nginx_piece_by_piece(nginx, serve, browser):
    url = behind(nginx, serve, block("nginx"), WEBCHAT_TOKEN=TOKEN)
    for accept in ("text/plain", "text/event-stream"):
        headers = {"Accept": accept, "Authorization": f"Bearer {TOKEN}"}
        form = {"data": {"message": "one two three"}, "headers": headers}
        with browser.stream("POST", f"{url}/messages", **form) as answer:
            arrivals = [time.monotonic() for _ in answer.iter_raw()]
        # If it were buffered, it would arrive in one piece.
        assert len(arrivals) > 2
        assert arrivals[-1] - arrivals[0] > 0.3


def test_below_a_path_every_address_has_it(nginx, serve, browser):
    config = block("nginx").replace("location / {\n        proxy_pass http://127.0.0.1:8000;", "")
    below = block("nginx below a path")
    config = re.sub(r'\n\s*proxy_set_header X-Forwarded-Prefix "";', "", config).replace("\n\n    \n", f"\n{below}")
    assert "location /chat/" in config
    url = behind(nginx, serve, config, WEBCHAT_TOKEN=TOKEN)
    page = browser.get(f"{url}/chat/?token={TOKEN}")
    assert (page.status_code, str(page.url)) == (200, f"{url}/chat/")
    addresses = set(re.findall(r'(?:href|src|action|hx-post|hx-get|hx-sse:connect)="(/[^"]*)"', page.text))
    assert addresses
    assert all(address.startswith("/chat/") for address in addresses)
    assert all(browser.get(url + address).status_code == 200 for address in addresses if "/static/" in address)
    sent = browser.post(f"{url}/chat/messages", data={"message": "hello"}, headers={"Origin": url})
    assert str(sent.url).startswith(f"{url}/chat/sessions/")


def test_nginx_signs_people_in(nginx, serve, browser):
    people = block("nginx with people")
    config = re.sub(r'\n\s*proxy_set_header X-Remote-User "";', "\n" + people.rstrip(), block("nginx"))
    url = behind(nginx, serve, config, WEBCHAT_AUTH_HEADER="X-Remote-User")
    assert browser.get(url).status_code == 401
    ada, bob = ("ada", "lovelace"), ("bob", "builder")
    said = {
        "data": {"message": "I am Ada"},
        "headers": {"Origin": url, "Accept": "application/json", "X-Remote-User": "bob"},
    }
    session_id = browser.post(f"{url}/messages", auth=ada, **said).json()["session_id"]
    assert browser.get(f"{url}/sessions/{session_id}", auth=ada).status_code == 200
    assert browser.get(f"{url}/sessions/{session_id}", auth=bob).status_code == 404
    assert browser.get(f"{url}/", auth=bob, headers={"X-Remote-User": "ada"}).text.count("I am Ada") == 0


def test_the_proxy_that_signs_people_in_names_prometheus(nginx, serve, browser):
    pytest.importorskip("prometheus_client", reason="prometheus_client is not installed (webchat[metrics])")
    server = serve("--backend", "mock", "--proxies", "1", "--auth-header", "X-Remote-User", "--metrics", "on")
    config = block("nginx").replace('proxy_set_header X-Remote-User "";', block("nginx with people"))
    beside = block("nginx with metrics")
    each = beside.replace("/metrics {", "/metrics/1 {").replace("8000;", "8000/metrics;")
    url = nginx(
        config.replace("    location / {", f"{beside}{each}    location / {{"), server.url.removeprefix("http://")
    )
    for path in ("/metrics", "/metrics/1"):
        assert "webchat_replies_in_flight 0.0" in browser.get(url + path).text
    assert browser.get(f"{url}/sessions").status_code == 401


def test_systemd_accepts_the_unit(tmp_path):
    if not (analyze := shutil.which("systemd-analyze")):
        pytest.skip("there is no systemd-analyze here")
    unit = dedent(DOCS.partition("<!-- systemd -->")[2].partition("\n\nKeep secrets")[0])
    assert "StateDirectoryMode=0700" in unit, "webchat doctor wants it"
    file = tmp_path / "webchat.service"
    file.write_text(unit.replace("/opt/webchat/bin/webchat", sys.executable))
    said = subprocess.run([analyze, "verify", file], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")
