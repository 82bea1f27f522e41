"""A person who reaches a limit, or loses access, sees why, and keeps what they have written."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from playwright.sync_api import expect

from webchat.cli import main

pytestmark = pytest.mark.browser
MOCK = ("--backend", "mock", "--mock-delay", "0")


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        (("--max-messages-per-minute", "1"), "1 messages a minute are the most for one person. Try again in"),
        (("--max-kept", "0.0005"), "the most that is kept. Delete some, also from the trash."),
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
    chat.open_sessions()
    chat.page.get_by_role("button", name="+ New").click()
    expect(chat.note).to_contain_text("New session")
    expect(chat.field).to_have_value("")
    chat.ask(long)
    expect(chat.problem).to_contain_text(why)
    expect(chat.field).to_have_value(long)
    chat.page.reload()
    expect(chat.field).to_have_value(long)


def test_who_is_disabled_is_told_so_and_keeps_what_they_wrote(serve, visit, home):
    def run(*arguments: str) -> None:
        assert CliRunner().invoke(main, ["people", *arguments, "--home", str(home)]).exit_code == 0

    server = serve(*MOCK, "--auth-header", "X-Remote-User")
    chat = visit(server, extra_http_headers={"X-Remote-User": "ada"})
    chat.asked("hello")
    run("disable", "ada")
    line = chat.page.locator("#reconnecting")
    expect(line).to_be_visible()  # also if they do nothing
    expect(line).to_have_text("You may not use this chat any more. Ask whoever runs it.")
    chat.ask("still mine")
    expect(chat.problem).to_contain_text("You may not use this chat any more. Ask whoever runs it.")
    expect(chat.field).to_have_value("still mine")
    run("enable", "ada")
    chat.asked("still mine")
    expect(chat.problem).to_be_empty()
