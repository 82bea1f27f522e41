"""Chooses which model of a server is asked: a named one, or the first that the server lists. Knows no answer."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from webchat.errors import BackendUnavailable

if TYPE_CHECKING:
    from webchat.backends.openai.connection import Connection
    from webchat.backends.openai.wire import Wire


class FirstModel:
    """The model that a server lists first, cached. Thread-safe."""

    def __init__(self, fresh_for: float) -> None:
        """The cached name expires after `fresh_for` seconds."""
        self._fresh_for, self.name = fresh_for, ""
        """"" until the list has been requested."""
        self._asked_at = 0.0
        self._guard = threading.Lock()

    @property
    def is_fresh(self) -> bool:
        return bool(self.name) and time.monotonic() - self._asked_at < self._fresh_for

    def note(self, name: str) -> None:
        with self._guard:
            self.name, self._asked_at = name, time.monotonic()


class ModelChoice:
    """The model of one session. Without a name, it is the first one that the server lists."""

    def __init__(self, connection: Connection, named: str) -> None:
        self._connection, self._named = connection, named

    @property
    def known_name(self) -> str:
        """Its name without a request to the server; "" if that is unknown."""
        return self._named or self._connection.first_model.name

    def name(self, wire: Wire) -> str:
        """Its name. Raises BackendUnavailable if the server must be asked and does not answer."""
        first = self._connection.first_model
        if self._named or first.is_fresh:
            return self.known_name
        with suppress(BackendUnavailable) if first.name else nullcontext():
            first.note(self._connection.server().first_model(wire))
        return first.name

    def other_than(self, refused: str, wire: Wire) -> str:
        """The first model that the server lists now, if it is not the one that it has just refused; else ""."""
        if self._named:
            return ""
        first = self._connection.first_model
        with suppress(BackendUnavailable):
            first.note(self._connection.server().first_model(wire))
        return "" if first.name == refused else first.name
