"""A model's failures are shown as a sentence in place of the answer, with a helpful button."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.scripted_server import delta, ended, refuses, sends

pytestmark = pytest.mark.browser


@pytest.fixture
def nobodys_port() -> Iterator[int]:
    """A port that refuses connections, and that nobody else can take meanwhile."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        yield deaf.getsockname()[1]


def problem_of(chat):
    return chat.answers.last.locator(".problem")


def try_again(chat):
    chat.answers.last.get_by_role("button", name="Try again").click()


def test_a_model_server_that_is_not_there_is_said_in_the_answers_place(serve, visit, nobodys_port):
    chat = visit(serve("--backend", "openai", "--base-url", f"http://127.0.0.1:{nobodys_port}/v1", "--model", "m"))
    chat.ask("hello")
    chat.answered("failed")
    expect(problem_of(chat)).to_contain_text("127.0.0.1")
    expect(problem_of(chat)).not_to_contain_text("Errno")
    expect(chat.answers.locator(".dots")).to_have_count(0)
    expect(chat.send_button).to_be_visible()
    expect(chat.field).to_be_focused()
    expect(chat.questions.locator(".content")).to_have_text("hello")


def test_a_refused_key_is_said_without_the_key_and_try_again_works(serve_model, model, visit):
    model.script(refuses(401, {"error": {"message": "Incorrect API key provided: sk-very-secret"}}))
    chat = visit(serve_model("--api-key", "sk-very-secret"))
    chat.ask("hello")
    chat.answered("failed")
    expect(problem_of(chat)).to_contain_text("key")
    assert "sk-very-secret" not in chat.page.content()
    try_again(chat)
    # The stream of the page before may show the end sooner than the form's answer does, which has less of it.
    expect(chat.page.locator("article.message .content")).to_have_text(["hello", "Hello there."])
    chat.answered()
    assert [question["messages"][-1]["content"] for question in model.questions] == ["hello", "hello"]
    expect(chat.field).to_be_focused()


def test_an_answer_that_is_cut_keeps_what_came_and_can_be_tried_again(serve_model, model, visit):
    model.script(sends("The first half", ends="cut"))
    chat = visit(serve_model())
    chat.ask("hello")
    chat.answered("failed")
    expect(chat.answer).to_have_text("The first half")
    expect(problem_of(chat)).to_be_visible()
    try_again(chat)
    # The stream of the page before may show the end sooner than the form's answer does, which has less of it.
    expect(chat.page.locator("article.message .content")).to_have_text(["hello", "Hello there."])
    chat.answered()
    chat.page.reload()
    assert chat.texts() == ["hello", "Hello there."]


def test_a_person_can_simply_go_on_after_a_failure(serve_model, model, visit):
    model.script(refuses(500, "broken"))
    chat = visit(serve_model())
    chat.ask("hello")
    chat.answered("failed")
    chat.asked("once more")
    assert chat.texts()[-1] == "Hello there."
    expect(chat.page.get_by_role("button", name="Try again")).to_have_count(0)
    expect(chat.page.locator(".problem").get_by_role("link", name="Settings")).to_have_count(0)


SECONDS_LEFT = "Number(document.querySelector('.status')?.textContent.match(/(\\d+) s/)?.[1])"


def test_the_seconds_until_a_busy_server_is_asked_again_are_counted_down(serve_model, model, visit):
    model.script(refuses(429, {"error": {"message": "slow down"}}, {"Retry-After": "50"}))
    chat = visit(serve_model())
    chat.ask("hello")
    chat.until(f"{SECONDS_LEFT} > 0")
    left = chat.page.evaluate(SECONDS_LEFT)
    chat.until(f"{SECONDS_LEFT} < {left}")
    chat.stop_button.click()
    chat.answered("stopped")


def test_a_busy_server_is_asked_again(serve_model, model, visit):
    model.script(refuses(429, {"error": {"message": "slow down"}}, {"Retry-After": "1"}), sends("Here I am.", ended()))
    chat = visit(serve_model())
    chat.asked("hello")
    assert chat.texts()[-1] == "Here I am."


def test_a_busy_server_is_said_with_when_to_try_again(serve_model, model, visit):
    model.script(refuses(429, {"error": {"message": "slow down"}}, {"Retry-After": "700"}))
    chat = visit(serve_model())
    chat.ask("hello")
    expect(problem_of(chat)).to_contain_text("Try again in 700 seconds")


def test_what_a_slow_model_is_doing_is_shown_until_its_first_word(serve_model, model, visit, gates):
    step = {"choices": [], "prompt_progress": {"total": 100, "cache": 0, "processed": 42}}
    model.script(sends(step, gates[0], "Here it is.", gates[1], ended()))
    chat = visit(serve_model())
    chat.ask("hello")
    status = chat.answers.last.locator(".status")
    expect(status).to_contain_text("Reading the conversation")
    expect(status.get_by_role("progressbar")).to_have_attribute("value", "0.420")
    expect(status).to_contain_text("42 %")
    gates[0].set()
    chat.streaming("Here it is.")
    expect(status).not_to_contain_text("Reading the conversation")
    gates[1].set()
    chat.answered()


def test_reasoning_is_folded_and_apart_from_the_answer(serve_model, model, visit):
    model.script(
        sends(delta(reasoning_content="Let me see. "), delta(reasoning_content="Two."), "The answer is 2.", ended())
    )
    chat = visit(serve_model())
    chat.asked("1 + 1?")
    expect(chat.answer).to_have_text("The answer is 2.")
    reasoning = chat.answers.last.locator("details.reasoning")
    expect(reasoning.get_by_text("Let me see. Two.")).to_be_hidden()
    reasoning.locator("summary").click()
    expect(reasoning.get_by_text("Let me see. Two.")).to_be_visible()


def test_an_address_of_nothing_is_a_page_that_leads_on(serve, visit):
    chat = visit(serve(), "/sessions/nobody")
    expect(chat.page.get_by_role("alert")).to_contain_text("not found")
    chat.page.get_by_role("link", name="Back to the chat").click()
    expect(chat.field).to_be_visible()
