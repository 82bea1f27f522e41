"""What `webchat chat` prints of a growing answer."""

from __future__ import annotations

import pytest

pytest.importorskip("rich")
Paper = pytest.importorskip("webchat.terminal.paper").Paper


class Recorded:
    """A screen that keeps what is printed on it."""

    def __init__(self):
        self.printed = []

    def markdown(self, text):
        self.printed.append(text)

    def line(self, text="", style=""):
        self.printed.append(f"{text}\n")


def answer(content, status="streaming"):
    parts = [{"type": "text", "text": content}] if content else []
    return {"id": "a", "role": "assistant", "status": status, "content": content, "parts": parts}


@pytest.fixture
def screen():
    return Recorded()


@pytest.mark.parametrize("between", [[], [""], ["Par"]])
def test_an_answer_that_begins_anew_is_printed_from_its_beginning(screen, between):
    paper = Paper(screen)
    paper.take("messages", {"messages": [answer("What of France?\n\nIts capital is asked.\n\nLet me")]})
    for content in [*between, "Paris is the capital.\n\nIt is on the Seine."]:
        paper.take("message", answer(content))
    assert paper.tail == "It is on the Seine."
    paper.take("message", answer("Paris is the capital.\n\nIt is on the Seine.", "complete"))
    printed = "".join(screen.printed)
    assert "begins here —\nParis is the capital.\n\n\nIt is on the Seine." in printed
    assert printed.count("begins here") == 1


def test_an_answer_that_goes_on_is_printed_once(screen):
    paper = Paper(screen)
    paper.take("messages", {"messages": [answer("One.\r\n\r\nTw")]})
    paper.take("delta", {"message_id": "a", "text": "o.\r\n\r\nThree."})
    paper.take("message", answer("One.\r\n\r\nTwo.\r\n\r\nThree.", "complete"))
    assert "".join(screen.printed).split() == ["One.", "Two.", "Three."]
