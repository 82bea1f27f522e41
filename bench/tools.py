"""What the updates of an agent's tool call cost the server for one page, compared with the same bytes as text."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from bench import processes
from bench.figures import Figure, Wrong
from webchat import create_app
from webchat.chat.conversation import Conversation
from webchat.chat.messages import Messages
from webchat.chat.part_records import changes_of
from webchat.chat.parts import Terminal, ToolCall
from webchat.chat.reply import ReplyView
from webchat.web.context import chat_of
from webchat.web.growing import GrowingArticle

UPDATES = 1_000
LINE, PARAGRAPH = "compiled module number {} of the project without an error\n", 5
"""The text of one update, and after how many there is an empty line, so that the text has blocks."""


def updates() -> list[Figure]:
    """The CPU of 1,000 updates as text and as a tool's output, which repeats all of it."""
    with processes.home() as home:
        app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_BACKEND": "mock"})
        with app.test_request_context("/"):
            text = min(_cost(_text()) for _ in range(3))
            tool = min(_cost(_tool()) for _ in range(3))
        app.extensions["webchat"].close()
    return [
        Figure("1,000 updates of text, CPU", text, "s"),
        Figure("1,000 updates of a tool with the same bytes, CPU", tool, "s"),
        Figure("the second to the first", tool / text, "", 2, fixed=True),
    ]


def _text() -> Iterator[Mapping[str, Any]]:
    yield from ({"d": _line(number)} for number in range(UPDATES))


def _tool() -> Iterator[Mapping[str, Any]]:
    before: dict[str, Any] = {}
    written = ""
    for number in range(UPDATES):
        written += _line(number)
        after = ToolCall("c", "make", "execute", "running", "make", (Terminal(written),)).record()
        yield {"part": changes_of(before, after) if before else after}
        before = after


def _line(number: int) -> str:
    return LINE.format(number) + ("\n" if number % PARAGRAPH == 0 else "")


def _cost(records: Iterator[Mapping[str, Any]]) -> float:
    """Seconds of CPU for updating one page with a reply's records."""
    view = ReplyView({"id": "answer", "parent": None, "started_at": ""})
    page = GrowingArticle(chat_of().renderings, "session")
    used, sent = 0.0, ""
    for record in records:
        before = time.process_time()
        view.take(record)
        message = view.message(alive=True)
        sent = str(page.more(message, Conversation(Messages([message]))))
        used += time.process_time() - before
    if LINE.format(UPDATES - 1).strip() not in sent:
        raise Wrong("the last update did not come")
    return used
