"""A running agent: its capabilities, its sessions, and their listeners. Knows no conversation."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from webchat import __version__
from webchat.backends.acp import problems
from webchat.backends.acp.choices import Choices
from webchat.backends.acp.shapes import mapping, text
from webchat.backends.acp.wire import Done, Wire
from webchat.backends.pictures import GivenPicture
from webchat.chat.plain import one_line
from webchat.errors import BackendUnavailable

PROTOCOL_VERSION = 1
LONGEST_NAME = 100
MOST_EARLY = 100
"""Updates that are kept for sessions that are still being opened."""
LOAD_DESTROYS = ("gemini",)
"""Names of agents whose session/load can destroy the session."""
CANCEL_FORGETS = ("gemini",)
"""Names of agents that drop a cancelled prompt from the model's history."""
CAPABILITIES = {"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False}
CANCELLED = {"outcome": {"outcome": "cancelled"}}


class Listener(Protocol):
    """Receives a session's events. Called in the reading thread, so it must not block."""

    def update(self, update: Mapping[str, Any]) -> None: ...

    def ask(self, answer: Callable[[Mapping[str, Any]], None], question: Mapping[str, Any]) -> None:
        """A question to the person; `answer` takes its outcome, at once or later."""


class AgentSession:
    """A session that lives in an agent's process."""

    def __init__(self, connection: Connection, session_id: str, cwd: str) -> None:
        self.connection, self.id, self.cwd = connection, session_id, cwd
        self.choices = Choices()
        self.title: str | None = None
        self.listener: Listener | None = None
        self.heard_at = time.monotonic()
        self.known: str | None = None
        """The digest of its conversation; None if unknown."""
        self.running: Future[Any] | None = None
        """The running prompt."""
        self.has_failed = False
        """Whether the last prompt ended with an error."""
        self.was_cancelled = False
        """Whether the last prompt was cancelled."""

    @property
    def has_stopped(self) -> bool:
        """Whether the last prompt was cancelled and ended without error: the agent may have saved the partial
        answer."""
        return self.was_cancelled and self.running is None and not self.has_failed

    @property
    def is_usable(self) -> bool:
        return not self.connection.is_over and self.connection.sessions.get(self.id) is self

    def update(self, update: Mapping[str, Any]) -> None:
        self.heard_at = time.monotonic()
        self.choices.update(update)
        if update.get("sessionUpdate") == "session_info_update" and isinstance(update.get("title"), str):
            self.title = one_line(update["title"][:LONGEST_NAME]) or None
        if self.listener:
            self.listener.update(update)

    def prompt(self, message: str, done: Done, pictures: Sequence[GivenPicture] = ()) -> Future[Any]:
        shown = [(picture.media_type, data) for picture in pictures if (data := picture.base64())]
        content = [{"type": "text", "text": message}] if message or not shown else []
        content += [{"type": "image", "mimeType": media_type, "data": data} for media_type, data in shown]

        def ended(answer: Future[Any]) -> None:
            self.running, self.has_failed = None, answer.exception() is not None
            done(answer)

        self.was_cancelled = False
        prompt = self.connection.wire.request("session/prompt", {"sessionId": self.id, "prompt": content}, ended)
        self.running = None if prompt.done() else prompt
        return prompt

    def cancel(self) -> None:
        """Ask the agent to end the prompt."""
        self.was_cancelled = True
        self.connection.wire.notify("session/cancel", {"sessionId": self.id})

    def choose(self, select_id: str, value: str) -> Future[Any]:
        """Set a choice in the agent; the caller must have checked that it is offered."""
        method, parameters = self.choices.request(select_id, value)

        def done(answer: Future[Any]) -> None:
            if not answer.exception():
                self.choices.chosen(select_id, value, answer.result())

        return self.connection.wire.request(method, {"sessionId": self.id, **parameters}, done)

    def close(self) -> None:
        """Forget the session here, and in the agent if it supports that."""
        self.connection.sessions.pop(self.id, None)
        if self.connection.can("close"):
            self.connection.wire.request("session/close", {"sessionId": self.id})


class Connection:
    """One process of an agent. `ready` is done when the agent has sent its capabilities, or has failed (AgentError,
    BackendUnavailable).

    Starting may take minutes on a busy machine, so there is no time limit here. Raises OSError and NoThreads if the
    process cannot be started.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], name: str) -> None:
        self.name = name
        self.ready: Future[Connection] = Future()
        self.sessions: dict[str, AgentSession] = {}
        self.is_abandoned = False
        """Whether a cancelled prompt in it does not end, or nobody waits for its start any more."""
        self._command = command
        self._info: Mapping[str, Any] = {}
        self._early: deque[tuple[str, Mapping[str, Any]]] = deque(maxlen=MOST_EARLY)
        self._opening = 0
        self._ready_lock = threading.Lock()
        self.wire = Wire(command, environ, self)
        self.wire.start()
        client = {"name": "webchat", "version": __version__}
        parameters = {"protocolVersion": PROTOCOL_VERSION, "clientCapabilities": CAPABILITIES, "clientInfo": client}
        self.wire.request("initialize", parameters, self._initialized)

    # Capabilities

    @property
    def is_over(self) -> bool:
        return self.wire.is_over

    @property
    def title(self) -> str:
        """The agent's own name, "" if it sends none."""
        info = mapping(self._info.get("agentInfo"))
        return one_line((text(info.get("title")) or text(info.get("name")))[:LONGEST_NAME])

    @property
    def takes_pictures(self) -> bool:
        """Whether a prompt may have pictures."""
        able = mapping(self._info.get("agentCapabilities"))
        return mapping(able.get("promptCapabilities")).get("image") is True

    def can(self, what: str) -> bool:
        """Whether it can list, resume, close or load sessions; load only if that is known to do no harm."""
        able = mapping(self._info.get("agentCapabilities"))
        if what == "load":
            return able.get("loadSession") is True and not self._is_one_of(LOAD_DESTROYS)
        return mapping(able.get("sessionCapabilities")).get(what) not in (None, False)

    @property
    def forgets_cancelled(self) -> bool:
        """Whether its session no longer matches the page once a prompt has been cancelled."""
        return self._is_one_of(CANCEL_FORGETS)

    def _is_one_of(self, known: Sequence[str]) -> bool:
        names = text(mapping(self._info.get("agentInfo")).get("name")) or " ".join(self._command)
        return any(name in names.lower() for name in known)

    # Sessions

    @property
    def is_working(self) -> bool:
        """Whether a session is being opened, or a prompt of an open session is running."""
        return self._opening > 0 or any(session.running for session in list(self.sessions.values()))

    def open(
        self, method: str, cwd: str, session_id: str | None = None, listener: Listener | None = None
    ) -> Future[AgentSession]:
        """Open a session in this folder: a new one, or the one with this id. `listener` receives its replay."""
        opened: Future[AgentSession] = Future()
        parameters = {"cwd": cwd, "mcpServers": []} | ({"sessionId": session_id} if session_id else {})
        if session_id:
            session = self.sessions[session_id] = AgentSession(self, session_id, cwd)
            session.listener = listener
        self._opening += 1

        def done(answer: Future[Any]) -> None:
            self._opening -= 1
            error = answer.exception()
            if error and session_id:
                self.sessions.pop(session_id, None)
            if error:
                opened.set_exception(error)
            else:
                self._open(opened, mapping(answer.result()), cwd, session_id)

        self.wire.request(method, parameters, done)
        return opened

    def _open(self, opened: Future[AgentSession], answer: Mapping[str, Any], cwd: str, session_id: str | None) -> None:
        new_id = session_id or text(answer.get("sessionId"))
        if not new_id or (not session_id and new_id in self.sessions):
            opened.set_exception(BackendUnavailable(problems.NO_ID.format(self.name)))
            return
        session = self.sessions.setdefault(new_id, AgentSession(self, new_id, cwd))
        session.choices.opened(answer)
        for early_id, update in list(self._early):
            if early_id == new_id:
                session.update(update)
        if not self._opening:
            self._early.clear()
        opened.set_result(session)

    # Receiver

    def notified(self, method: str, params: Mapping[str, Any]) -> None:
        session_id = text(params.get("sessionId"))
        session = self.sessions.get(session_id)
        update = mapping(params.get("update"))
        if "retrying" in method:
            update = {"sessionUpdate": method}
        elif method != "session/update":
            return
        if session:
            session.update(update)
        elif self._opening and session_id:
            self._early.append((session_id, update))

    def asked(self, request_id: Any, method: str, params: Mapping[str, Any]) -> bool:  # noqa: ANN401
        if method != "session/request_permission":
            return False
        session = self.sessions.get(text(params.get("sessionId")))
        if session and session.listener:
            session.listener.ask(lambda outcome: self.wire.reply(request_id, outcome), params)
        else:
            self.wire.reply(request_id, CANCELLED)
        return True

    def ended(self) -> None:
        self._settle(BackendUnavailable(problems.NOT_STARTED.format(self.name)))

    # Beginning and end

    def _initialized(self, answer: Future[Any]) -> None:
        error = answer.exception()
        if isinstance(error, problems.AgentError):
            self._settle(error)
        elif error:
            self._settle(BackendUnavailable(problems.NOT_STARTED.format(self.name)))
        else:
            self._info = mapping(answer.result())
            version = self._info.get("protocolVersion", PROTOCOL_VERSION)
            other = isinstance(version, int) and version != PROTOCOL_VERSION
            self._settle(BackendUnavailable(problems.OTHER_VERSION.format(self.name)) if other else None)

    def _settle(self, failure: Exception | None) -> None:
        """Complete `ready`, with a failure also end the process; only the first call counts."""
        with self._ready_lock:
            if self.ready.done():
                return
            if failure:
                self.ready.set_exception(failure)
            else:
                self.is_abandoned = False  # for those who still wait for it
                self.ready.set_result(self)
        if failure:
            self.wire.end()
