"""Follows one session in a thread. Knows no terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from webchat.errors import NoThreads
from webchat.terminal.answer import events_in
from webchat.terminal.client import ChatClient, Fields, Refused, Unreachable

AGAIN = 1.0
"""Seconds before a stream that has ended is requested again."""
Take = Callable[[str, Fields], None]


class Live:
    """Passes each event of a session's stream to `take`; also "away" while disconnected, and "gone" at the end."""

    def __init__(self, chat: ChatClient, session_id: str, take: Take) -> None:
        self._chat, self._session_id, self._take = chat, session_id, take
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    def start(self) -> None:
        """Raises NoThreads."""
        try:
            self._thread.start()
        except RuntimeError as error:
            raise NoThreads from error

    def close(self) -> None:
        """Stop following. The stream itself ends at its next event."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._follow()
            except Refused as error:
                if error.status == 404:
                    self._tell("gone", {})
                    return
                self._tell("away", {"error": str(error)})
            except Unreachable as error:
                self._tell("away", {"error": str(error)})
            self._closed.wait(AGAIN)

    def _follow(self) -> None:
        with self._chat.events("GET", self._chat.path(self._session_id, "events")) as response:
            for name, fields in events_in(response):
                if self._closed.is_set():
                    return
                self._tell(name, fields)

    def _tell(self, name: str, fields: Fields) -> None:
        if not self._closed.is_set():
            with suppress(ValueError):  # the output was closed with the program
                self._take(name, fields)
