"""The token: whoever has it is admitted, everybody else sees nothing."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.conftest import HTMX, Page
from tests.scripted import ScriptedBackend
from webchat import create_app
from webchat.errors import InvalidInput, TooManyGuesses
from webchat.web.auth import GUESS_TIME, GUESSES, SIGNED_IN_FOR, Access, Guesses

TOKEN = "a-token-of-many-characters"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def guarded(home):
    app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_TOKEN": TOKEN}, backend=ScriptedBackend())
    yield app
    app.extensions["webchat"].close()


@pytest.fixture
def visitor(guarded):
    return guarded.test_client()


def routes(app):
    """Each route as (method, path), with values for its variables."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<any\((\w+).*?>", r"\1", rule.rule)
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield rule.endpoint, method, re.sub(r"<.*?>", "1", path)


def test_without_the_token_no_route_is_open_but_those_that_lead_in(guarded, visitor):
    open_to_all = {
        endpoint for endpoint, method, path in routes(guarded) if visitor.open(path, method=method).status_code != 401
    }
    assert open_to_all == {"webchat.static", "health.alive", "health.ready"}


def test_what_is_said_to_a_stranger_has_the_face_that_was_asked_for(visitor):
    page = Page(visitor.get("/"))
    assert page.response.status_code == 401
    assert page.soup.select_one("form[action='/sign-in'] input[type=password]")
    assert page.response.headers["WWW-Authenticate"] == "Bearer"
    fragment = visitor.get("/sessions", headers=HTMX)
    assert "Sign in" in fragment.text
    assert "<html" not in fragment.text
    assert "Sign in" in visitor.get("/api/session").json["error"]
    assert "Sign in" in visitor.post("/messages", data={"message": "x"}, headers={"Accept": "text/plain"}).text


def test_the_link_lets_a_browser_in_and_takes_the_token_out_of_the_address(visitor):
    answer = visitor.get(f"/sessions?q=x&token={TOKEN}")
    assert (answer.status_code, answer.location) == (303, "/sessions?q=x")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert TOKEN not in cookie
    assert visitor.get("/sessions").status_code == 200


def test_the_form_lets_a_browser_in_and_leads_to_what_it_wanted(visitor):
    asked = Page(visitor.get("/apps/settings/"))
    wanted = asked.soup.select_one("input[name=next]")["value"]
    wrong = Page(visitor.post("/sign-in", data={"token": "wrong", "next": wanted}))
    assert (wrong.response.status_code, wrong.problem) == (401, "This token is wrong.")
    assert wrong.soup.select_one("input[name=next]")["value"] == wanted
    right = visitor.post("/sign-in", data={"token": TOKEN, "next": wanted})
    assert (right.status_code, right.location) == (303, "/apps/settings/")
    assert visitor.get(right.location).status_code == 200


@pytest.mark.parametrize(
    "next", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:1", "/\t/evil.example", ""]
)
def test_signing_in_leads_nowhere_else(visitor, next):
    assert visitor.post("/sign-in", data={"token": TOKEN, "next": next}).location == "/"


def test_the_cookie_is_for_tls_alone_where_there_is_tls(visitor):
    answer = visitor.get(f"/?token={TOKEN}", base_url="https://localhost")
    assert "Secure" in answer.headers["Set-Cookie"]


def test_a_script_sends_the_token_itself(visitor):
    assert visitor.post("/api/session", headers=BEARER).status_code == 200
    assert visitor.post("/api/chat", json={"message": "hello"}, headers=BEARER).json["response"] == "You said: hello"
    assert visitor.get("/api/session", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert visitor.get("/api/session", headers={"Authorization": "Basic wrong"}).status_code == 401


def test_signing_out_signs_out(visitor):
    visitor.get(f"/?token={TOKEN}")
    assert Page(visitor.get("/apps/settings/")).soup.select_one("form[action='/sign-out']")
    assert visitor.post("/sign-out").location == "/sign-in"
    assert visitor.get("/").status_code == 401


def test_a_cookie_of_another_token_or_of_long_ago_is_none(guarded, visitor, home, monkeypatch):
    cookie = {"Cookie": visitor.get(f"/?token={TOKEN}").headers["Set-Cookie"].partition(";")[0]}
    other = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_TOKEN": TOKEN + "2"}, backend=ScriptedBackend())
    assert other.test_client(use_cookies=False).get("/", headers=cookie).status_code == 401
    other.extensions["webchat"].close()
    stranger = guarded.test_client(use_cookies=False)
    assert stranger.get("/", headers=cookie).status_code == 200
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + SIGNED_IN_FOR + 10)
    assert stranger.get("/", headers=cookie).status_code == 401


def test_who_guesses_has_to_wait_and_who_is_in_does_not(guarded, visitor):
    visitor.get(f"/?token={TOKEN}")
    stranger = guarded.test_client()
    answers = [stranger.post("/sign-in", data={"token": f"guess {number}"}) for number in range(GUESSES + 1)]
    assert [answer.status_code for answer in answers] == [401] * GUESSES + [429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= GUESS_TIME + 1
    assert stranger.get(f"/?token={TOKEN}").status_code == 429
    assert stranger.get("/api/session", headers=BEARER).status_code == 429
    assert visitor.get("/").status_code == 200


def test_guesses_are_forgotten_in_time_and_counted_for_each_address():
    now = [0.0]
    guesses = Guesses(lambda: now[0])
    for _ in range(GUESSES):
        guesses.note("192.0.2.1")
    with pytest.raises(TooManyGuesses):
        guesses.check("192.0.2.1")
    guesses.check("192.0.2.2")
    now[0] = GUESS_TIME + 1
    guesses.check("192.0.2.1")


def test_a_signed_in_browser_elsewhere_writes_only_from_our_own_pages(home):
    values = {"AMPLIFIER_HOME": str(home), "WEBCHAT_TOKEN": TOKEN, "WEBCHAT_ALLOW_HOST": "chat.example"}
    guarded = create_app(values, backend=ScriptedBackend())
    visitor = guarded.test_client()
    visitor.get(f"/?token={TOKEN}", base_url="http://chat.example")
    here = {"base_url": "http://chat.example", "data": {}}
    assert visitor.post("/sessions", **here).status_code == 403
    assert visitor.post("/sessions", headers={"Origin": "http://evil.example"}, **here).status_code == 403
    assert visitor.post("/sessions", headers={"Origin": "http://chat.example"}, **here).status_code == 303
    assert visitor.post("/sessions", headers={"Sec-Fetch-Site": "same-origin"}, **here).status_code == 303
    assert guarded.test_client().post("/sessions", headers=BEARER, **here).status_code == 303


@pytest.mark.parametrize("token", ["short", "ä" * 30])
def test_a_token_that_can_be_guessed_or_not_sent_is_refused(token):
    with pytest.raises(InvalidInput, match="16 characters"):
        Access(token)


def test_one_way_in_is_enough():
    with pytest.raises(InvalidInput, match="one way to sign in"):
        Access(TOKEN, "X-Remote-User")


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "webchat", "serve", "--backend", "mock", "--port", "0", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=Path(__file__).parent.parent)


def test_beyond_loopback_it_does_not_start_without_a_way_in(home):
    refused = run("--host", "0.0.0.0", "--home", str(home))
    assert refused.returncode == 1
    assert "--token auto" in refused.stderr
    assert "--auth-header" in refused.stderr
    assert not home.exists()


def test_a_token_is_made_and_shown_once_as_a_link(serve):
    server = serve("--backend", "mock", "--host", "0.0.0.0", "--token", "auto")
    shown = "".join(server.output)
    link = re.search(r"http://\S+", shown)[0]
    token = parse_qs(urlsplit(link).query)["token"][0]
    assert shown.count(token) == 1
    with httpx.Client(follow_redirects=True) as browser:
        assert browser.get(server.url).status_code == 401
        assert browser.get(link).status_code == 200
        assert browser.get(server.url).status_code == 200
    assert httpx.get(server.url, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert server.terminate() == 0
    assert any("read the traffic" in line for line in server.output)
    assert token not in "".join(server.errors)


def test_a_token_that_was_given_is_not_shown(serve):
    server = serve("--backend", "mock", env={"WEBCHAT_TOKEN": TOKEN})
    assert httpx.get(server.url, headers=BEARER).status_code == 200
    assert server.terminate() == 0
    assert TOKEN not in "".join([*server.output, *server.errors])


def test_a_picture_in_another_page_uses_up_no_tries(guarded, visitor):
    for number in range(GUESSES + 1):
        assert visitor.get(f"/?token=guess{number}", headers={"Sec-Fetch-Dest": "image"}).status_code == 401
    assert visitor.get(f"/?token={TOKEN}", headers={"Sec-Fetch-Dest": "document"}).status_code == 303


def test_who_has_many_addresses_of_one_network_has_the_tries_of_one(guarded):
    visitor = guarded.test_client()
    answers = [
        visitor.post("/sign-in", data={"token": "guess"}, environ_base={"REMOTE_ADDR": f"2001:db8::{number:x}"})
        for number in range(GUESSES + 1)
    ]
    assert answers[-1].status_code == 429
    elsewhere = visitor.post("/sign-in", data={"token": "guess"}, environ_base={"REMOTE_ADDR": "2001:db8:0:1::1"})
    assert elsewhere.status_code == 401


def test_what_was_written_is_kept_where_the_cookie_has_ended(visitor):
    page = Page(
        visitor.post("/sessions/some/messages", data={"message": "not lost"}, headers={"Origin": "http://localhost"})
    )
    assert page.response.status_code == 401
    assert page.soup.select_one("textarea[readonly]").get_text() == "not lost"
    assert page.soup.select_one("input[name=next]")["value"] == "/sessions/some"


def test_a_body_that_nobody_may_send_is_not_read(visitor):
    refused = visitor.post("/messages", data={"message": "x" * 3_000_000})
    assert refused.status_code == 401


def test_below_a_path_several_tries_lead_to_the_same_page(home):
    app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_TOKEN": TOKEN}, backend=ScriptedBackend())
    visitor, below = app.test_client(), {"SCRIPT_NAME": "/chat"}
    page = Page(visitor.get("/apps/settings/", environ_overrides=below))
    for _ in range(2):
        wanted = page.soup.select_one("input[name=next]")["value"]
        assert wanted == "/chat/apps/settings/"
        page = Page(visitor.post("/sign-in", data={"token": "", "next": wanted}, environ_overrides=below))
    app.extensions["webchat"].close()


def test_behind_a_proxy_it_does_not_start_without_a_way_in(home):
    refused = run("--proxies", "1", "--allow-host", "chat.example", "--home", str(home))
    assert refused.returncode == 1
    assert "Behind a proxy" in refused.stderr


def test_only_a_proxy_says_whom_it_speaks_for(home):
    values = {"AMPLIFIER_HOME": str(home), "WEBCHAT_TOKEN": TOKEN, "WEBCHAT_PROXIES": "1"}
    app = create_app(values, backend=ScriptedBackend())
    visitor = app.test_client()
    forwarded = {"X-Forwarded-Host": "localhost", "X-Forwarded-Prefix": "//evil.example", "Host": "evil.example"}
    past = {"REMOTE_ADDR": "192.0.2.66"}
    assert visitor.get("/", headers=forwarded, environ_base=past).status_code == 421
    for number in range(GUESSES + 1):
        spoofed = {"X-Forwarded-For": f"198.51.100.{number}"}
        answer = visitor.post("/sign-in", data={"token": "guess"}, headers=spoofed, environ_base=past)
    assert answer.status_code == 429
    assert visitor.get("/", headers={"X-Forwarded-Host": "evil.example"}).status_code == 421
    app.extensions["webchat"].close()
