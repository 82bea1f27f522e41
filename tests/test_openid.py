"""The Apache configuration in docs/deploy.md, which signs people in by OpenID Connect, run by a real Apache."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from tests.identity_provider import CLIENT, SECRET, IdentityProvider
from tests.nginx import free_port, listens, make_certificate
from tests.reading import until
from webchat.cli import main

DOCS = (Path(__file__).parent.parent / "docs" / "deploy.md").read_text("utf-8")
MODULES = Path("/usr/lib/apache2/modules")
NEEDED = (
    *("mpm_event", "authn_core", "authz_core", "authz_user"),
    *("auth_openidc", "headers", "proxy", "proxy_http", "ssl", "unique_id"),
)
NAVIGATION = {"Sec-Fetch-Mode": "navigate"}


@pytest.fixture
def provider(tmp_path):
    with IdentityProvider(tmp_path) as provider:
        yield provider


@pytest.fixture
def apache(tmp_path, provider):
    """Runs Apache with the page's configuration, adapted to this machine, in front of a server; returns its address."""
    program = shutil.which("apache2") or shutil.which("apache2", path="/usr/sbin")
    if program is None or not (MODULES / "mod_auth_openidc.so").exists():
        missing = "there is no Apache with mod_auth_openidc here"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    started = []

    def start(backend: str) -> str:
        port = free_port()
        url = f"https://localhost:{port}"
        make_certificate(tmp_path)
        (tmp_path / "apache.conf").write_text(configuration(tmp_path, provider, backend, url))
        process = subprocess.Popen(
            [program, "-f", tmp_path / "apache.conf", "-E", tmp_path / "apache.errors", "-DFOREGROUND"]
        )
        started.append(process)
        until(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None, (tmp_path / "apache.errors").read_text()
        return url

    yield start
    for process in started:
        process.terminate()
        process.wait(10)


def configuration(folder: Path, provider: IdentityProvider, backend: str, url: str) -> str:
    host = re.search(r"<!-- apache with openid connect -->\n```apache\n(.*?)```", DOCS, re.DOTALL)[1]
    passphrase = "OIDCCryptoPassphrase a-passphrase-of-many-characters"
    (folder / "secrets").write_text(f"OIDCClientSecret {SECRET}\n{passphrase}\n")
    for was, here in {
        "*:443": url.removeprefix("https://").replace("localhost", "127.0.0.1"),
        "/etc/ssl/private/chat.example.org.key": f"{folder}/key",
        "/etc/ssl/chat.example.org.pem": f"{folder}/cert",
        "https://id.example.org": provider.url,
        "OIDCClientID chat": f"OIDCClientID {CLIENT}",
        "/etc/apache2/chat.secrets": f"{folder}/secrets",
        "https://chat.example.org/": f"{url}/",
        "http://127.0.0.1:8000": f"http://{backend}",
    }.items():
        assert was in host, was
        host = host.replace(was, here)
    user = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
    modules = "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in NEEDED)
    listen = f"Listen {url.removeprefix('https://').replace('localhost', '127.0.0.1')}\n"
    places = (
        f"ServerRoot {folder}\nPidFile {folder}/apache.pid\nErrorLog {folder}/apache.errors\nMutex default:{folder}\n"
    )
    return f"{modules}{user}{listen}{places}ServerName localhost\n{host}"


@pytest.fixture
def chat(serve, apache):
    """The address of a chat behind Apache."""
    options = ("--backend", "mock", "--mock-delay", "0.3", "--proxies", "1", "--allow-host", "chat.example.org")
    server = serve(*options, "--auth-header", "X-Remote-User")
    return apache(server.url.removeprefix("http://"))


@pytest.fixture
def browser():
    with httpx.Client(verify=False, follow_redirects=True, headers=NAVIGATION) as client:
        yield client


def people(home, *arguments):
    result = CliRunner().invoke(main, ["people", *arguments, "--json", "--home", str(home)])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_who_has_signed_in_at_the_provider_has_sessions_of_their_own(chat, browser, provider, home):
    page = browser.get(chat)
    assert (page.status_code, str(page.url).rstrip("/"), provider.signed_in) == (200, chat, 1)
    forged = {"Origin": chat, "X-Remote-User": "bob@example.org"}
    sent = browser.post(f"{chat}/messages", data={"message": "I am Ada"}, headers=forged)
    assert (sent.status_code, "I am Ada" in sent.text) == (200, True)
    assert str(sent.url).startswith(f"{chat}/sessions/")
    assert [person["name"] for person in people(home)] == ["ada@example.org"]
    assert (
        browser.post(f"{chat}/messages", data={"message": "x"}, headers={"Origin": "https://evil.example"}).status_code
        == 403
    )
    provider.email = "bob@example.org"
    with httpx.Client(verify=False, follow_redirects=True, headers=NAVIGATION) as bobs:
        assert "I am Ada" not in bobs.get(chat).text
        assert bobs.get(sent.url).status_code == 404


def test_an_answer_comes_through_apache_piece_by_piece(chat, browser):
    browser.get(chat)
    form = {"data": {"message": "one two three"}, "headers": {"Origin": chat, "Accept": "text/event-stream"}}
    with browser.stream("POST", f"{chat}/messages", **form) as answer:
        arrivals = [time.monotonic() for _ in answer.iter_raw()]
    # If it were buffered, it would arrive in one piece.
    assert len(arrivals) > 2
    assert arrivals[-1] - arrivals[0] > 0.3


def test_a_pages_script_is_refused_and_not_led_away_once_nobody_is_signed_in(chat, browser, provider):
    for mode in ("cors", "same-origin"):
        refused = browser.get(f"{chat}/sessions", headers={"Sec-Fetch-Mode": mode, "HX-Request": "true"})
        assert (refused.status_code, refused.headers.get("Webchat-Answer"), provider.signed_in) == (401, None, 0)


def test_who_is_disabled_is_refused_in_words_though_the_provider_lets_them_in(chat, browser, provider, home):
    assert browser.get(chat).status_code == 200
    people(home, "disable", "ada@example.org")
    refused = browser.get(chat)
    assert (refused.status_code, "You no longer have access to this chat" in refused.text) == (403, True)
    people(home, "enable", "ada@example.org")
    assert browser.get(chat).status_code == 200
    assert provider.signed_in == 1
