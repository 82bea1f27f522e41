"""A host's expired sign-in: its page is never mistaken for an answer, and unsent text stays."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from flask import Flask, Response, redirect, request
from playwright.sync_api import expect

from tests.browser.hosts import serving
from tests.reading import until
from webchat import create_blueprint
from webchat.backends.mock import MockBackend
from webchat.manager import WebChatSessionManager

pytestmark = pytest.mark.browser

TOKEN = "0123456789abcdef" * 2
LOGIN = (
    '<h1>Log in</h1><hx-partial hx-target="#messages" hx-swap="innerHTML">swapped in</hx-partial><input name="name">'
)


class Host:
    """An application with the chat at /chat/ that admits whoever has signed in; `refuse` answers everybody else."""

    url = ""

    def __init__(self, manager: WebChatSessionManager) -> None:
        self.is_signed_in = True
        self.refuse = lambda: redirect(f"/login?next={request.path}")
        self.app = Flask("host")
        self.app.get("/login")(lambda: LOGIN)
        self.app.register_blueprint(create_blueprint(manager, settings_url=""), url_prefix="/chat")
        self.app.before_request(self._check)

    def _check(self) -> Response | None:
        return None if self.is_signed_in or request.path == "/login" else self.refuse()


@pytest.fixture
def host(home, troubles) -> Iterator[Host]:
    troubles.origins.add("https://sign-in.example")  # which a browser is told to request, and does not
    manager = WebChatSessionManager(MockBackend(0), home / "sessions.json")
    host = Host(manager)
    with serving(host.app) as host.url:
        yield host
        manager.close()


@pytest.fixture
def chat(host, visit):
    chat = visit(host.url, "/chat/").ready()
    chat.asked("hello")
    return chat


WAYS = {
    "another page": lambda: redirect("/login"),
    "another site": lambda: redirect("https://sign-in.example/"),
    "its own page": lambda: LOGIN,
    "a status": lambda: (LOGIN, 401),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_message_is_not_taken_for_sent(chat, host, way):
    host.refuse, host.is_signed_in = WAYS[way], False
    chat.ask("still mine")
    expect(chat.problem.get_by_role("alert")).to_contain_text("You have been signed out")
    expect(chat.field).to_have_value("still mine")
    expect(chat.questions.locator(".content")).to_have_text(["hello"])
    link = chat.problem.get_by_role("link", name="Sign in")
    assert link.get_attribute("href") == chat.page.url
    host.is_signed_in = True
    chat.asked("still mine")
    expect(chat.problem).to_be_empty()
    expect(chat.questions.locator(".content")).to_have_text(["hello", "still mine"])


def test_the_first_message_is_not_either(host, visit):
    chat = visit(host.url, "/chat/").ready()
    host.is_signed_in = False
    chat.ask("still mine")
    expect(chat.problem).to_contain_text("You have been signed out")
    expect(chat.field).to_have_value("still mine")
    host.is_signed_in = True
    chat.page.reload()
    expect(chat.field).to_have_value("still mine")


def test_the_sign_in_is_swapped_in_nowhere_else(chat, host):
    chat.open_sessions()
    host.is_signed_in = False
    problem = chat.page.locator("#sessionsProblem")
    chat.rows.first.click()
    expect(problem).to_contain_text("You have been signed out")
    chat.page.locator("#sessionSearch").fill("hel")
    expect(problem).to_contain_text("You have been signed out")
    chat.page.locator("#sessionList button.manage").click()
    chat.panel.get_by_role("button", name="+ New").click()
    expect(problem).to_contain_text("You have been signed out")
    expect(chat.rows).to_have_count(1)
    expect(chat.panel.get_by_text("Log in")).to_have_count(0)
    chat.page.keyboard.press("Escape")
    chat.page.get_by_role("button", name="Go on from here in a new session").last.click()
    expect(chat.problem).to_contain_text("You have been signed out")
    expect(chat.page.get_by_text("Log in")).to_have_count(0)
    expect(chat.page.get_by_text("swapped in")).to_have_count(0)
    expect(chat.messages).to_have_count(2)


def test_what_was_changed_in_a_message_stays(chat, host):
    chat.questions.first.get_by_role("link", name="Edit").click()
    box = chat.page.get_by_label("Your message")
    box.fill("hello there")
    host.is_signed_in = False
    chat.page.locator("form.edit").get_by_role("button", name="Send").click()
    expect(chat.problem).to_contain_text("You have been signed out")
    expect(box).to_have_value("hello there")


@pytest.mark.parametrize("way", ["another page", "another site"])
def test_a_stream_that_gets_the_sign_in_says_so_until_it_is_back(chat, host, way):
    host.refuse, host.is_signed_in = WAYS[way], False
    chat.page.evaluate("dispatchEvent(new Event('online'))")
    expect(chat.problem).to_contain_text("You have been signed out")
    host.is_signed_in = True
    chat.page.request.post(f"{chat.page.url}/messages", form={"message": "from elsewhere"})
    expect(chat.questions.locator(".content")).to_have_text(["hello", "from elsewhere"])
    expect(chat.problem).to_be_empty()
    expect(chat.page.locator("#reconnecting")).to_be_hidden()


@pytest.mark.parametrize("refused", ["a later one", "the first one"])
def test_who_is_signed_in_again_is_not_told_late_of_having_been_out(chat, host, refused):
    """A page whose stream was refused, later or from the beginning, and that is slow to find out why."""
    asked, goes_on, answered = threading.Event(), threading.Event(), threading.Event()

    def slowly() -> Response | None:
        if request.method == "HEAD":  # with which the page finds out who responds in place of the chat
            asked.set()
            goes_on.wait(60)
        elif not request.path.endswith("/events"):
            return None
        return redirect("https://sign-in.example/")

    address = chat.page.url
    if refused == "the first one":
        chat.page.goto("about:blank")
    host.refuse, host.is_signed_in = slowly, False
    chat.page.on("requestfinished", lambda about: answered.set() if about.method == "HEAD" else None)
    if refused == "the first one":
        chat.page.goto(address)
    else:
        chat.page.evaluate("dispatchEvent(new Event('online'))")
    assert asked.wait(60)
    host.is_signed_in = True
    chat.page.request.post(f"{chat.page.url}/messages", form={"message": "from elsewhere"})
    expect(chat.questions.locator(".content")).to_have_text(["hello", "from elsewhere"])
    goes_on.set()
    until(lambda: chat.page.evaluate("true") and answered.is_set())
    chat.page.evaluate("new Promise(requestAnimationFrame)")
    expect(chat.problem).to_be_empty()


def test_a_stream_that_the_chat_itself_lets_in_no_more_says_so(serve, visit):
    server = serve("--backend", "mock", "--token", TOKEN)
    chat = visit(server, f"/?token={TOKEN}").ready()
    chat.asked("hello")
    cookies = chat.page.context.cookies()
    chat.page.context.clear_cookies()
    chat.page.evaluate("dispatchEvent(new Event('online'))")
    expect(chat.problem).to_contain_text("You have been signed out")
    chat.page.context.add_cookies(cookies)
    expect(chat.problem).to_be_empty()


def test_going_back_shows_the_sign_in_as_a_page(chat, host):
    chat.new_session()
    host.is_signed_in = False
    chat.page.go_back()
    expect(chat.page.get_by_role("heading", name="Log in")).to_be_visible()
    expect(chat.page.locator("#chatArea")).to_have_count(0)


@pytest.mark.parametrize(("status", "words"), [(429, "refused before it reached the chat (429)"), (502, "not answer")])
def test_what_something_in_between_answers_is_said_without_its_page(chat, host, status, words):
    host.refuse, host.is_signed_in = lambda: (LOGIN, status), False
    chat.ask("still mine")
    expect(chat.problem).to_contain_text(words)
    expect(chat.problem).not_to_contain_text("Log in")
    expect(chat.field).to_have_value("still mine")


OFF = {"java_script_enabled": False}


@pytest.mark.parametrize("status", [400, 429])
def test_without_javascript_a_text_that_the_host_refused_is_there_again(host, visit, status):
    chat = visit(host.url, "/chat/", **OFF)
    host.refuse, host.is_signed_in = lambda: (LOGIN, status), False
    chat.field.fill("still mine")
    chat.send_button.click()
    expect(chat.page.get_by_role("heading", name="Log in")).to_be_visible()
    host.is_signed_in = True
    chat.page.go_back()
    expect(chat.field).to_have_value("still mine")


def test_without_javascript_a_text_is_there_again_after_signing_in(host, visit):
    chat = visit(host.url, "/chat/", **OFF)
    host.is_signed_in = False
    chat.field.fill("still mine")
    chat.send_button.click()
    expect(chat.page.get_by_role("heading", name="Log in")).to_be_visible()
    host.is_signed_in = True
    chat.page.go_back()
    expect(chat.field).to_have_value("still mine")
