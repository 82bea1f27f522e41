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
BARE_TEXT = "(() => { const was = answer.textContent; return () => answer.textContent !== was; })()"


def first_text() -> list[Figure]:
    """Enter to the first text of an answer, above what a bare page takes to show one."""
    with processes.home() as home, processes.chat(home) as server, processes.bare_page() as bare:
        with browser.chromium() as chromium:
            simple, chat = browser.open_page(chromium, bare.url), browser.open_page(chromium, server.url)
            browser.ask(chat, "warm up")
            browser.wait_for_answers(chat, 1)
            round_trips, further = [], []
            for number in range(TIMES):
                simple.bring_to_front()
                round_trips.append(browser.ask_and_time(simple, f"message {number}", BARE_TEXT))
                chat.bring_to_front()
                further.append(browser.ask_and_time(chat, f"message {number}", HAS_TEXT))
                browser.wait_for_answers(chat, number + 2)
            first = [_first_message(chat, server) for _ in range(TIMES // 2)]
    bare_median = statistics.median(round_trips)
    return [
        of_times("Enter to text, the bare page", round_trips, None, judged="median"),
        of_times("Enter to first text, above that", [took - bare_median for took in further], 25, judged="median"),
        of_times("the same for a session's first", [took - bare_median for took in first], 25, judged="median"),
    ]


def whole_answer() -> list[Figure]:
    """Enter to an answer of 200 tokens, whole, from a mock without delay."""
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
