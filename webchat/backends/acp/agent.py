"""An agent's command: starts its process on demand, and ends it when idle."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

from webchat.backends.acp import problems
from webchat.backends.acp.bounds import Bounds
from webchat.backends.acp.connection import Connection
from webchat.errors import BackendUnavailable

log = logging.getLogger(__name__)


class Agent:
    """An agent, with at most one process for all sessions. The process is ended after `idle` seconds without use; 0:
    never."""

    def __init__(
        self, names: Sequence[str], command: Sequence[str], environ: Mapping[str, str], idle: float, bounds: Bounds
    ) -> None:
        """`names` are its name and those that it had in earlier versions."""
        self.name, self.names, self._command, self._idle, self.bounds = names[0], names, tuple(command), idle, bounds
        # The agent does not get the chat's own variables: some contain keys.
        self._environ = {name: value for name, value in environ.items() if not name.startswith("WEBCHAT_")}
        self.secrets = problems.secrets_of(command, self._environ)
        self._connection: Connection | None = None
        self._old: list[Connection] = []
        """Abandoned processes in which other sessions' prompts are still running."""
        self._title = ""
        self._users = 0
        self._rest: threading.Timer | None = None
        self._lock = threading.Lock()

    @property
    def label(self) -> str:
        """The agent's own name; until it has sent one, the name of its command."""
        return (self._connection.title if self._connection else "") or self._title or self.name

    @property
    def program(self) -> str:
        """What must be installed to start it."""
        return Path(self._command[0]).name or self._command[0]

    @property
    def is_installed(self) -> bool:
        return shutil.which(self._command[0], path=self._environ.get("PATH", os.defpath)) is not None

    @property
    def is_ready(self) -> bool:
        connection = self._connection
        return connection is not None and _is_usable(connection) and connection.ready.done()

    @property
    def sees(self) -> bool | None:
        """Whether the agent accepts pictures; None if it has not said so yet."""
        connection = self._connection
        if connection is None or not connection.ready.done() or connection.ready.exception():
            return None
        return connection.takes_pictures

    def connect(self) -> Future[Connection]:
        """The running agent; starts it if necessary. Raises BackendUnavailable, here or from the future."""
        with self._lock:
            connection = self._connection
            if connection is None or not _is_usable(connection):
                self._title = self.label
                self._old += [connection] if connection else []
                connection = self._connection = self._start()
                self._end_old()
            return connection.ready

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While this is entered, the process is not ended as idle."""
        with self._lock:
            self._users += 1
            rest, self._rest = self._rest, None
        if rest:
            rest.cancel()
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                self._end_old()
                if not self._users:
                    self._leave_alone()

    def abandon(self, connection: Connection) -> None:
        """A prompt of this process cannot be ended: end the process as soon as nobody else uses it.

        The next message gets another process, even if this one is still in use.
        """
        connection.is_abandoned = True
        with self._lock:
            self._end_old()
            if not self._users:
                self._leave_alone()

    def give_up_start(self) -> None:
        """A caller has stopped waiting for the start: end the process as soon as nobody else waits for it."""
        connection = self._connection
        if connection and not connection.ready.done():
            self.abandon(connection)

    def close(self) -> None:
        with self._lock:
            rest, connections = self._rest, [*self._old, *([self._connection] if self._connection else [])]
            self._rest = self._connection = None
            self._old = []
        if rest:
            rest.cancel()
        for connection in connections:
            connection.wire.end()

    def _end_old(self) -> None:
        """End the abandoned processes in which nothing is running any more. Called with the lock held."""
        over = [connection for connection in self._old if not self._users or not connection.is_working]
        self._old = [connection for connection in self._old if connection not in over]
        for connection in over:
            connection.wire.end()

    def _leave_alone(self) -> None:
        """Called with the lock held, when the last user has left."""
        connection = self._connection
        if connection and connection.is_abandoned:
            connection.wire.end()
        elif connection and self._idle and not connection.is_over:
            self._rest = threading.Timer(self._idle, self._end_if_idle)
            self._rest.daemon = True
            with suppress(RuntimeError):  # no thread left: the process runs on until after its next use
                self._rest.start()

    def _end_if_idle(self) -> None:
        with self._lock:
            if self._connection and not self._users:
                self._connection.wire.end()

    def _start(self) -> Connection:
        if not self.is_installed:
            raise BackendUnavailable(problems.NOT_FOUND.format(self.program))
        try:
            return Connection(self._command, self._environ, self.name)
        except (OSError, ValueError, RuntimeError) as error:  # ValueError: a null byte; RuntimeError: no thread left
            log.warning("the agent %s could not be started", self.name, exc_info=True)
            raise BackendUnavailable(problems.NOT_STARTED.format(self.name)) from error


def _is_usable(connection: Connection) -> bool:
    """Whether a message may use the process. One that is still starting is waited for, even if others have left."""
    return not connection.is_over and not (connection.is_abandoned and connection.ready.done())
