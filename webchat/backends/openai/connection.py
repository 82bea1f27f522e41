"""A model server's client, and what has been learnt about the server so far. Knows no answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from webchat.backends.openai.choice import FirstModel
from webchat.errors import BackendUnavailable

if TYPE_CHECKING:
    from webchat.backends.openai.endpoint import Endpoint
    from webchat.backends.openai.server import Server
    from webchat.backends.openai.wire import Wire

NO_SERVER = (
    "No model server is set. Give its address in the settings or with --base-url, "
    "for example http://127.0.0.1:11434/v1 for Ollama."
)

SIGHT_PATIENCE = 2.0
"""Seconds that a page waits to learn from the server whether the model sees pictures."""


class Connection:
    """The server, created when it is first used, since that loads the HTTP client."""

    def __init__(self, endpoint: Endpoint | None, follow_after: float) -> None:
        self.first_model = FirstModel(follow_after)
        self._endpoint = endpoint
        self._server: Server | None = None
        self._has_looked = False
        """Whether the server was asked which models see pictures."""
        self._server_lock = threading.Lock()

    def server(self) -> Server:
        from webchat.backends.openai.server import Server

        if self._endpoint is None:
            raise BackendUnavailable(NO_SERVER)
        with self._server_lock:
            if self._server is None:
                self._server = Server(self._endpoint)
            return self._server

    def sees(self, name: Callable[[], str], look: Callable[[float], object]) -> bool | None:
        """Whether the model of that name sees pictures, None if unknown; `look` is called once to find out."""
        over = time.monotonic() + SIGHT_PATIENCE
        if not self._has_looked:
            self._has_looked = True
            with suppress(BackendUnavailable):
                look(SIGHT_PATIENCE)
        server = self._server
        if server and name() not in server.sight:
            with cut_after(max(0.0, over - time.monotonic())) as wire:
                server.learn(name(), wire)
        return server.sight.get(name()) if server else None

    def close(self) -> None:
        with self._server_lock:
            server, self._server = self._server, None
        if server:
            server.close()


@contextmanager
def cut_after(seconds: float) -> Iterator[Wire]:
    """A wire that is cut if the block takes longer than that."""
    from webchat.backends.openai.wire import Wire

    wire = Wire()
    limit = threading.Timer(seconds, wire.cut)
    limit.start()
    try:
        yield wire
    finally:
        limit.cancel()
