"""What became of each message that was sent, and what must therefore be on disk. Knows no HTTP."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path


class Ledger:
    """Shared by all people. Each message's text is unique, so that it can be found again."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self.accepted: dict[str, str] = {}
        """By text, the session in which the server has accepted it."""
        self.refused: set[str] = set()
        self.taken = 0
        """The number of accepted messages that have been forgotten."""
        self.gone: set[str] = set()
        """Permanently deleted sessions."""
        self.done: Counter[str] = Counter()
        self.problems: Counter[str] = Counter()

    def sent(self, text: str, session_id: str) -> None:
        """The server has accepted this message; in a session that is being deleted it may still be lost."""
        with self._guard:
            self.accepted[text] = session_id

    def not_sent(self, text: str) -> None:
        with self._guard:
            self.refused.add(text)

    def did(self, what: str) -> None:
        with self._guard:
            self.done[what] += 1

    def complain(self, problem: str) -> None:
        with self._guard:
            self.problems[problem] += 1

    def forget(self) -> None:
        """All sessions are gone; their messages are no longer checked."""
        self.taken += len(self.accepted)
        self.accepted.clear()
        self.refused.clear()

    def check(self, transcripts: Path) -> None:
        """Report each message that is missing from its session, or is there more than once."""
        # In this order: a queued message is in the transcript before it leaves the queue.
        waiting = {text for path in (transcripts / "queue").glob("*.queue") for text in _waiting(path)}
        found: Counter[str] = Counter()
        for path in transcripts.glob("*.jsonl"):
            found.update(_questions(path))
        for text, session_id in self.accepted.items():
            if not found[text] and text not in waiting and session_id not in self.gone:
                self.complain("an accepted message is lost")
        for text, times in found.items():
            if times > 1:
                self.complain("a message is there twice")
            if text in self.refused:
                self.complain("a refused message is there")


def _questions(path: Path) -> list[str]:
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    return [record["content"] for record in records if record.get("role") == "user"]


def _waiting(path: Path) -> list[str]:
    """Messages that are queued, or were returned when an answer was stopped or failed."""
    return [json.loads(line)["text"] for line in path.read_text("utf-8").splitlines() if line.strip()]
