"""One answer of a model server: requested, read and cancelled. Knows no session."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx

from webchat.backends import Event, HistoryItem, Piece
from webchat.backends.openai import problems
from webchat.backends.openai.incoming import AT_REST, Incoming, is_stream
from webchat.backends.openai.patient import is_agent
from webchat.backends.openai.pieces import AnswerReader
from webchat.backends.openai.retries import Retries, Wait
from webchat.backends.openai.server import MAX_BODY, MAX_REFUSAL, Server, opening, read
from webchat.backends.openai.shapes import Malformed
from webchat.backends.openai.vision import Shown
from webchat.backends.openai.wire import Wire
from webchat.errors import BackendUnavailable

if TYPE_CHECKING:
    from webchat.backends.openai.choice import ModelChoice

OF_MODEL = (400, 404, 422, 500)
"""Statuses that servers send if they do not have the model."""
USAGE = {"stream_options": {"include_usage": True}}


class OpenAIStream:
    """The pieces of one answer, to be iterated once. Raises BackendUnavailable while it is iterated.

    `cancel`, from any thread, ends the iteration within milliseconds and cuts the connection, even before the first
    byte has come; a connection that is still being made is closed as soon as it exists.
    """

    def __init__(
        self,
        server: Server,
        model: ModelChoice,
        messages: Sequence[HistoryItem],
        extra_body: Mapping[str, Any],
        *,
        agent_timeout: float | None,
        names_model: bool = True,
        context: int = 0,
    ) -> None:
        """`agent_timeout` replaces the server's read timeout if the model is an agent; None: without limit.

        `names_model`: yield an event if the answer names another model than the requested one. `context` is the model's
        context in tokens, 0 to ask the server for it.
        """
        self._server = server
        self._model = model
        self._is_renewed = False
        """Whether another model has replaced one that the server no longer has."""
        self._agent_timeout = agent_timeout
        self._shown = Shown(messages)
        self._question = {"stream": True, **extra_body}
        self._wire = Wire()
        self._begun = False
        self._incoming = Incoming(server, self._wire)
        self._retries = Retries()
        self._names_model, self._context = names_model, context
        self._asked_model = self._reported_model = ""

    def __iter__(self) -> Iterator[Piece]:
        try:
            with closing(self._together()) as pieces:
                for piece in pieces:
                    if self._wire.is_cut:
                        return
                    yield piece
                    self._incoming.passed_on += _length(piece)
        except BackendUnavailable:
            if not self._wire.is_cut:
                raise
        except (httpx.HTTPError, httpx.InvalidURL, OSError, Malformed) as error:
            if not self._wire.is_cut:
                raise self._problem(error) from error
        finally:
            self._wire.release()

    def cancel(self) -> None:
        self._wire.cut()

    def _problem(self, error: Exception) -> BackendUnavailable:
        if isinstance(error, Malformed):
            return problems.malformed(self._server.endpoint)
        return problems.of_exception(error, self._server.endpoint, begun=self._begun)

    def _together(self) -> Generator[Piece, None, None]:
        """The pieces, with texts that were read together joined: all later processing costs per piece."""
        texts: list[str] = []
        try:
            for piece in self._pieces():
                if isinstance(piece, str) and self._incoming.is_whole:
                    texts.append(piece)
                    continue
                if texts:
                    yield "".join(texts)
                    texts.clear()
                yield piece
        except Exception:
            if texts:
                yield "".join(texts)
            raise
        if texts:
            yield "".join(texts)

    def _pieces(self) -> Generator[Piece, None, None]:
        if self._wire.is_cut:
            return
        model = self._asked_model = self._asked_model or self._model.name(self._wire)
        usage = USAGE if self._server.takes_usage else {}
        patience = self._agent_timeout if is_agent(model) else self._server.endpoint.read_timeout
        question = {"model": model, "messages": self._shown.messages(), **usage, **self._question}
        with self._server.ask(question, self._wire, patience) as response:
            if response.is_success:
                self._begun = True
                yield from self._answer(response)
                return
            refusal = opening(response, MAX_REFUSAL)
        yield from self._refused(response, refusal, is_about_usage=bool(usage) and _is_about_usage(refusal))
        yield from self._pieces()

    def _refused(self, response: httpx.Response, refusal: bytes, *, is_about_usage: bool) -> Iterator[Piece]:
        """Wait, or change the question, before another try. Raises BackendUnavailable if another try is useless."""
        status, headers = response.status_code, response.headers
        if self._shown.is_refused(status, refusal):
            self._server.sight[self._asked_model] = False
            self._shown.hide(f"{self._asked_model} at {self._server.endpoint.where}")
            return
        wait = self._retries.after(status, headers, refusal.decode("utf-8", "replace"))
        if wait:
            yield from self._waited(wait)
        elif status in (400, 422) and is_about_usage:
            self._server.takes_usage = False
        elif (
            status in OF_MODEL
            and not self._is_renewed
            and (other := self._model.other_than(self._asked_model, self._wire))
        ):
            self._asked_model, self._is_renewed = other, True
        else:
            raise problems.of_status(status, headers, refusal, self._server.endpoint, self._asked_model)

    def _waited(self, wait: Wait) -> Iterator[Piece]:
        reason = wait.reason.format(self._server.endpoint.where)
        for left in range(wait.seconds, 0, -1):
            yield Event("status", f"{reason}; trying again in {left} s")
            self._wire.pause(1)

    def _answer(self, response: httpx.Response) -> Iterator[Piece]:
        return self._streamed(response) if is_stream(response) else self._whole(response)

    def _streamed(self, response: httpx.Response) -> Iterator[Piece]:
        """An answer is complete only with a finish reason or [DONE]: a cut connection can look like a normal end."""
        reader, done = AnswerReader(), False
        try:
            for data in self._incoming.events(response):
                if data is AT_REST:
                    yield from reader.gathered()
                    yield Event("rest")
                    continue
                if done := data == "[DONE]":
                    break
                if self._incoming.is_whole and reader.gather_alike(data):
                    continue
                chunk = self._object(data)
                if self._incoming.is_whole and reader.gather(chunk, data):
                    continue
                yield from reader.read(chunk)
                yield from self._written_by(reader.model)
        except (httpx.TransportError, BackendUnavailable, Malformed) as error:
            if not (reader.finish_reason and isinstance(error, httpx.TransportError)):
                yield from reader.held_back()
                raise
        if not (done or reader.finish_reason):
            yield from reader.held_back()
            raise BackendUnavailable(problems.BROKEN_OFF)
        yield from self._ended(reader)

    def _whole(self, response: httpx.Response) -> Iterator[Piece]:
        """The answer of a server that does not stream."""
        completion = self._object(read(response, MAX_BODY, self._server.endpoint))
        if not isinstance(completion, dict) or "choices" not in completion:
            raise problems.not_a_model(self._server.endpoint)
        reader = AnswerReader()
        yield from reader.read(completion)
        yield from self._written_by(reader.model)
        yield from self._ended(reader)

    def _ended(self, reader: AnswerReader) -> Iterator[Piece]:
        """The answer's last pieces; the usage gets the size of the model's context, if known."""
        for piece in reader.end():
            if isinstance(piece, Event) and piece.kind == "usage":
                size = self._context or self._server.context_of(self._asked_model, reader.model)
                yield replace(piece, data={**piece.data, "context": size}) if size else piece
            else:
                yield piece

    def _written_by(self, model: str) -> Iterator[Event]:
        """Report the model that writes the answer, if it is not the requested one."""
        if model and model not in (self._reported_model, self._asked_model) and self._names_model:
            yield Event("model", f"{_shown(model)} at {self._server.endpoint.host}")
        self._reported_model = model

    def _object(self, text: str | bytes) -> Any:  # noqa: ANN401
        """The decoded JSON, None if it is invalid. Raises BackendUnavailable for an error object."""
        sent = problems.decoded(text)
        report = problems.report_in(sent)
        if report is not None:
            raise problems.of_report(report, self._server.endpoint)
        return sent


def _shown(model: str) -> str:
    """A model's name; of a path, which llama.cpp and others send, the file's name."""
    is_path = model.startswith(("/", "~", ".")) or model[1:3] == ":\\"
    return re.split(r"[/\\]", model.rstrip("/\\"))[-1] if is_path else model


def _is_about_usage(refusal: bytes) -> bool:
    return b"stream_options" in refusal or b"include_usage" in refusal


def _length(piece: Piece) -> int:
    """The number of characters of text or reasoning."""
    if isinstance(piece, str):
        return len(piece)
    return len(piece.text) if isinstance(piece, Event) and piece.kind == "reasoning" else 0
