"""What a person waits for: from Enter to text on the screen, in Chromium."""

from __future__ import annotations

import statistics
from typing import Any

from bench import browser, processes
from bench.client import Visitor
from bench.figures import Figure, Wrong, of_times

TIMES = 40
NEXT_ANSWER = """(() => {
  const count = document.querySelectorAll('article[data-role="assistant"]').length;
  return () => {
    const answers = document.querySelectorAll('article[data-role="assistant"]');
    return answers.length > count && CONDITION;
  };
})()"""
HAS_TEXT = NEXT_ANSWER.replace("CONDITION", "answers[count].querySelector('.content').textContent.trim() !== ''")
IS_WHOLE = NEXT_ANSWER.replace("CONDITION", "answers[count].dataset.status === 'complete'")
BARE_TEXT = "() => answer.textContent !== ''"
BARE_WHOLE = "() => answer.dataset.status === 'complete'"
MOST = 1.6
"""The chat's time to first text, as a multiple of the bare page's."""


def first_text() -> list[Figure]:
    """Enter to the first text of an answer, compared with a bare page in front of the same model server."""
    with processes.home() as home, processes.fake_model(20, 0.005) as model, processes.bare_page(model) as bare:
        options = ("--base-url", f"{model.url}/v1", "--model", "fake")
        with processes.chat(home, *options, backend="openai") as server, browser.chromium() as chromium:
            simple, chat = browser.open_page(chromium, bare.url), browser.open_page(chromium, server.url)
            _bare(simple)
            browser.ask(chat, "warm up")
            browser.wait_for_answers(chat, 1)
            bare_times, further = [], []
            for number in range(TIMES):
                bare_times.append(_bare(simple))
                chat.bring_to_front()
                further.append(browser.ask_and_time(chat, f"message {number}", HAS_TEXT))
                browser.wait_for_answers(chat, number + 2)
            first = [_first_message(chat, server) for _ in range(TIMES // 2)]
    times = statistics.median(further) / statistics.median(bare_times)
    return [
        of_times("Enter to first text, a bare streaming page", bare_times, None, judged="median"),
        of_times("Enter to first text", further, None, judged="median"),
        Figure("to the bare page's", times, "", MOST),
        of_times("the same for a session's first", first, None, judged="median"),
    ]


def _bare(page: Any) -> float:  # noqa: ANN401
    """Ask the bare page, wait for the whole answer, and clear it away."""
    page.bring_to_front()
    page.evaluate("() => { answer.textContent = ''; delete answer.dataset.status; }")
    took = browser.ask_and_time(page, "message", BARE_TEXT)
    page.wait_for_function(BARE_WHOLE)
    return took


def whole_answer() -> list[Figure]:
    """Enter to a complete answer of 200 tokens, from a mock without delay."""
    text = " ".join(f"word{number}" for number in range(197))
    with processes.home() as home, processes.chat(home) as server, browser.chromium() as chromium:
        page = browser.open_page(chromium, server.url)
        browser.ask(page, "warm up")
        browser.wait_for_answers(page, 1)
        took = []
        for number in range(TIMES):
            took.append(browser.ask_and_time(page, text, IS_WHOLE))
            browser.wait_for_answers(page, number + 2)
            _check(page, f"Mock response to: {text}")
    return [of_times("Enter to a whole answer of 200 tokens", took, 120, judged="median")]


def _first_message(page: Any, server: processes.Server) -> float:  # noqa: ANN401
    Visitor(server).post("/api/end")
    page.goto(server.url)
    took = browser.ask_and_time(page, "message", HAS_TEXT)
    browser.wait_for_answers(page, 1)
    return took


def _check(page: Any, text: str) -> None:  # noqa: ANN401
    shown = page.locator('article[data-role="assistant"] .content').last.inner_text().strip()
    if shown != text:
        raise Wrong(f"the page shows {shown[:100]!r}")
