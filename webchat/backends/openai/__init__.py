"""Answers from any OpenAI-compatible server. Loads the HTTP client after the start, or on the first question."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from importlib import import_module
from typing import TYPE_CHECKING, Any

from webchat import threads
from webchat.backends import HistoryItem
from webchat.backends.chat_model import ChatModelBackend
from webchat.backends.openai import endpoint
from webchat.backends.openai.choice import ModelChoice
from webchat.backends.openai.connection import NO_SERVER, Connection, cut_after
from webchat.backends.openai.patient import PatientStream, is_agent
from webchat.errors import BackendUnavailable, NoThreads

if TYPE_CHECKING:
    from webchat.backends.openai.stream import OpenAIStream
    from webchat.config import Settings

LISTING_PATIENCE = 5.0
"""Seconds that a person waits for a list of models."""
LOAD_AFTER = 0.5
"""Seconds from the start until the HTTP client is loaded, which takes 0.1: the first page comes before it."""


class OpenAIModel:
    """A ChatModel that asks POST `base_url`/chat/completions.

    If `model` is empty or "auto", the first one in GET /models is used; the list is requested again after
    `follow_after` seconds, and when the server no longer has that model. `connect_timeout` is in seconds;
    `read_timeout` is how many seconds the server may be silent, and must be longer than it takes to read a long
    conversation. A model called "amplifier" or "agent…" is an agent, whose tool calls are not shown: it may be silent
    for `agent_timeout` seconds (None: without limit), and after `agent_quiet` seconds of silence a status says that it
    is still at work. `extra_body` is merged into each question (llama.cpp: `{"return_progress": True}`); `headers`,
    (name, value) pairs, are sent with each request. `context` is the model's context in tokens, 0 to ask the server for
    it. A name and password in `base_url` are used for Basic authentication if there is no `api_key`. Raises
    InvalidInput for an address or a key that cannot be used; without an address, `notice` says what to do.
    """

    def __init__(
        self,
        base_url: str,
        model: str = "auto",
        api_key: str = "",
        *,
        connect_timeout: float = 10.0,
        read_timeout: float = 120.0,
        agent_timeout: float | None = 3600.0,
        agent_quiet: float = 5.0,
        follow_after: float = 30.0,
        label: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
        headers: Sequence[tuple[str, str]] = (),
        context: int = 0,
    ) -> None:
        given = base_url.strip()
        self._endpoint = endpoint.parse(given, api_key, connect_timeout, read_timeout, headers) if given else None
        self._connection = Connection(self._endpoint, follow_after)
        self._choice = ModelChoice(self._connection, "" if model.strip() == "auto" else model.strip())
        self._label = label
        self._context = context
        self._agent_timeout, self._agent_quiet = agent_timeout, agent_quiet
        self._extra_body = dict(extra_body or {})
        self._closed = threading.Event()

    @property
    def label(self) -> str:
        """Which model and where, for example "gpt-x at api.example.com"."""
        if self._label is not None:
            return self._label
        if self._endpoint is None:
            return "No model server"
        return f"{self._choice.known_name or 'Model'} at {self._endpoint.host}"

    @property
    def is_agent(self) -> bool:
        """Whether the model is an agent; False while its name is unknown."""
        return is_agent(self._choice.known_name)

    @property
    def only_speaks(self) -> bool:
        """Whether asking has no side effects; False while the model's name is unknown: it may be an agent."""
        return bool(self._choice.known_name) and not self.is_agent

    @property
    def sees(self) -> bool | None:
        """Whether the model sees pictures, None if unknown.

        The server's list of models is requested once for that, briefly.
        """
        return self._connection.sees(lambda: self._choice.known_name, self.list_models)

    @property
    def notice(self) -> str | None:
        return NO_SERVER if self._endpoint is None else None

    def named(self, name: str) -> OpenAIModel:
        """Another model of the same server."""
        other = copy(self)
        other._choice = ModelChoice(self._connection, "" if name == "auto" else name)
        other._label = None
        return other

    def start(self, report: Callable[[str, float | None], None]) -> None:
        """Load the HTTP client soon, in the background, so that the first answer does not wait for it."""
        if self._endpoint is not None:
            with suppress(NoThreads):
                threads.start(self._load_soon, "http-client")

    def _load_soon(self) -> None:
        if not self._closed.wait(LOAD_AFTER):
            import_module("webchat.backends.openai.stream")
            with suppress(BackendUnavailable):  # the first answer reports it
                self._connection.server()
            if self._closed.is_set():  # meanwhile
                self._connection.close()

    def stream(self, messages: Sequence[HistoryItem]) -> OpenAIStream | PatientStream:
        """The answer to `messages`; the request is sent when it is iterated. Raises BackendUnavailable."""
        from webchat.backends.openai.stream import OpenAIStream

        server, timeout = self._connection.server(), self._agent_timeout
        stream = OpenAIStream(
            server,
            self._choice,
            messages,
            self._extra_body,
            agent_timeout=timeout,
            names_model=self._label is None,
            context=self._context,
        )
        return PatientStream(stream, lambda: self.is_agent, self._agent_quiet) if not self.only_speaks else stream

    def list_models(self, within: float = LISTING_PATIENCE) -> list[str]:
        """The names of the server's models, in its order, `within` so many seconds. Raises BackendUnavailable."""
        with cut_after(within) as wire:
            return self._connection.server().models(wire)

    def check(self, within: float = LISTING_PATIENCE) -> str | None:
        """Why the server cannot be reached now, without its name; None if it can."""
        if self._endpoint is None:
            return "No model server is set."
        with cut_after(within) as wire:
            return self._connection.server().check(wire)

    def close(self) -> None:
        self._closed.set()
        self._connection.close()


def from_settings(settings: Settings) -> ChatModelBackend:
    model = OpenAIModel(
        settings.base_url,
        settings.model,
        settings.api_key,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        agent_timeout=settings.answer_time or None,
        headers=settings.header,
        extra_body={} if settings.temperature is None else {"temperature": settings.temperature},
    )
    options = ("model", "system_prompt", "context")
    return ChatModelBackend(
        model,
        settings.system_prompt,
        session_options=options,
        titles=settings.titles,
        title_model=settings.title_model,
    )
