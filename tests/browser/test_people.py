"""A person who reaches a limit, or loses access, sees why, and keeps what they have written."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner
from playwright.sync_api import Route, expect

from webchat.cli import main
from webchat.fileutil import DiskFolder, locked
from webchat.models import SMOLLM

pytestmark = pytest.mark.browser
MOCK = ("--backend", "mock", "--mock-delay", "0")
TOKEN = "a-long-enough-token"
GONE = "You no longer have access to this chat. Ask whoever runs it."
EVENTS = re.compile(r"/events\?session=")


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        (("--max-messages-per-minute", "1"), "The limit is 1 messages per minute and person. Try again in"),
        (("--max-kept", "0.0005"), "Delete some, also from the trash."),
    ],
    ids=["too many a minute", "too much kept"],
)
def test_what_a_limit_refuses_stays_in_the_field(serve, visit, limit, why):
    chat = visit(serve(*MOCK, *limit))
    chat.asked("hello")
    long = "still mine " * 40
    chat.ask(long)
    expect(chat.problem).to_contain_text(why)
    expect(chat.field).to_have_value(long)
    expect(chat.questions).to_have_count(1)
    chat.new_session()
    expect(chat.field).to_have_value("")
    chat.ask(long)
    expect(chat.problem).to_contain_text(why)
    expect(chat.field).to_have_value(long)
    chat.page.reload()
    expect(chat.field).to_have_value(long)


@pytest.fixture
def people(home):
    def run(*arguments: str) -> None:
        assert CliRunner().invoke(main, ["people", *arguments, "--home", str(home)]).exit_code == 0

    return run


@pytest.fixture
def chat(serve, visit):
    return visit(serve(*MOCK, "--auth-header", "X-Remote-User"), extra_http_headers={"X-Remote-User": "ada"})


def test_who_is_disabled_is_told_so_and_keeps_what_they_wrote(chat, people):
    with chat.page.expect_response(EVENTS):  # the stream is open
        chat.asked("hello")
    people("disable", "ada")
    line = chat.page.locator("#reconnecting")
    expect(line).to_be_visible()  # also if they do nothing
    expect(line).to_have_text(GONE)
    chat.ask("still mine")
    expect(chat.problem).to_contain_text(GONE)
    expect(chat.field).to_have_value("still mine")
    people("enable", "ada")
    expect(chat.problem).to_be_empty()  # also if they do nothing
    expect(line).to_be_hidden()
    expect(line).to_have_text("Reconnecting …")  # which the next loss is about
    chat.asked("still mine")
    expect(chat.problem).to_be_empty()


def test_a_page_that_polls_says_so_until_a_poll_is_answered(serve, visit, people):
    server = serve(*MOCK, "--auth-header", "X-Remote-User", "--max-streams-per-client", "1")
    chat = visit(server, extra_http_headers={"X-Remote-User": "ada"})
    with chat.page.expect_response(EVENTS):  # the only stream
        chat.asked("hello")
    polling = chat.tab()
    with polling.page.expect_response(EVENTS):
        polling.asked("again")
    people("disable", "ada")
    line = polling.page.locator("#reconnecting")
    expect(line).to_be_visible()  # also if they do nothing
    expect(line).to_have_text(GONE)
    polling.ask("still mine")
    expect(polling.problem).to_contain_text(GONE)
    people("enable", "ada")
    expect(polling.problem).to_be_empty()
    expect(line).to_be_hidden()
    expect(line).to_have_text("Reconnecting …")
    expect(polling.field).to_have_value("still mine")


def test_a_page_without_a_stream_says_so_until_a_poll_is_answered(serve, visit, tmp_path, monkeypatch):
    monkeypatch.setenv("WEBCHAT_MODELS", str(tmp_path))
    (tmp_path / f"{SMOLLM.file_name}.part").write_bytes(b"x")
    with locked(DiskFolder(tmp_path), SMOLLM.file_name):  # another process downloads it
        page = visit(serve(*MOCK, "--token", TOKEN), f"/apps/settings/?token={TOKEN}").page
        expect(page.locator("#onDisk").get_by_role("progressbar")).to_be_visible()
        cookies = page.context.cookies()
        page.context.clear_cookies()
        expect(page.locator("#problem")).to_contain_text("Sign in")
        page.context.add_cookies(cookies)
        expect(page.locator("#problem")).to_be_empty()


def test_who_is_disabled_before_the_stream_is_open_is_told_so_too(chat, people):
    held: list[Route] = []
    chat.page.route(EVENTS, lambda route: held.append(route), times=1)
    chat.ask("hello")
    expect(chat.questions).to_have_count(1)
    chat.wait_for(held)
    people("disable", "ada")
    held[0].continue_()
    expect(chat.problem).to_contain_text(GONE)
    people("enable", "ada")
    chat.answered()  # the page is live again
    expect(chat.problem).to_be_empty()
