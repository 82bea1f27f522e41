"""A conversation with everything that a transcript can have except parts, written identically in each run."""

from __future__ import annotations

import itertools
import secrets
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from webchat.backends import Event, SessionInfo
from webchat.errors import BackendUnavailable
from webchat.manager import WebChatSessionManager

WAIT = object()


class Played:
    """The steps of one answer; at WAIT it waits for a stop."""

    def __init__(self, steps: list[Any]) -> None:
        self._steps, self._over = steps, threading.Event()

    def __iter__(self) -> Iterator[Any]:
        for step in self._steps:
            if isinstance(step, Exception):
                raise step
            if step is WAIT:
                self._over.wait(10)
                return
            yield step

    def cancel(self) -> None:
        self._over.set()


class Backend:
    label, notice = "Scripted", None

    def __init__(self) -> None:
        self.steps: list[Any] = []
        self._made = itertools.count(1)

    def create_session(self, working_dir: str, description: str) -> SessionInfo:
        return SessionInfo(f"session-{next(self._made)}", "project", working_dir)

    def resume_session(self, session_id: str, history: object) -> SessionInfo:
        return SessionInfo(session_id)

    def send_message(self, session_id: str, message: str) -> Played:
        return Played(self.steps)

    def end_session(self, session_id: str) -> None: ...

    def get_session_info(self, session_id: str) -> None: ...


def write(home: Path) -> None:
    """Write it into `home`, with consecutive ids and a constant time."""
    numbers = itertools.count(1)
    with patch.object(secrets, "token_hex", lambda size=None: f"{next(numbers):016x}"):
        _write(home)


def _write(home: Path) -> None:
    backend = Backend()
    manager = WebChatSessionManager(backend, home / "sessions.json", clock=lambda: "2026-01-01T00:00:00.000000+00:00")

    def says(*steps: Any) -> None:
        backend.steps = list(steps)

    first = manager.create_session().session_id
    says(Event("reasoning", "A fruit. "), "An apple ", "is a *fruit*.", Event("note", "Cut."), Event("tool", "search"))
    manager.post_message(first, "What is an apple?", files=[("list.txt", "milk\n")]).wait()
    says("You said: pear")
    posted = manager.post_message(first, "And a pear?", key="key-1")
    posted.wait()
    says("Another answer.")
    manager.retry(first, posted.reply.id).wait()
    says("Grapes, then.")
    manager.edit(first, posted.question.id, "And grapes?").wait()
    says("It begins ", WAIT)
    story = manager.post_message(first, "Tell a story")
    story.wait_for_text(10)
    manager.stop(first)
    story.wait()
    says("and goes on.")
    manager.continue_reply(first, story.reply.id).wait()
    manager.select(first, posted.reply.id)
    second = manager.create_session(description="A title of its own").session_id
    says("Half of ", BackendUnavailable("The model is away."))
    manager.post_message(second, "Does it fail?").wait()
    manager.add_exchange(second, "remember tea", lambda: "I will.", "memory")
    manager.housekeeping.pin([first])
    manager.housekeeping.archive([second])
    says("Hello, Ada.")
    third = manager.create_session(owner="ada").session_id
    manager.post_message(third, "From Ada", "ada").wait()
    manager.fork(first, posted.question.id)
    manager.close()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
