"""One answer of a model server: requested, read and cancelled. Knows no session."""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
from httpx_sse import EventSource

from webchat.backends import Event, HistoryItem, Piece
from webchat.backends.openai import problems
from webchat.backends.openai.gathering import PLENTY
from webchat.backends.openai.patient import is_agent
from webchat.backends.openai.pieces import AnswerReader, Malformed
from webchat.backends.openai.retries import Retries, Wait
from webchat.backends.openai.server import MAX_BODY, MAX_REFUSAL, Server, Wire, opening, read
from webchat.backends.openai.vision import Shown
from webchat.errors import BackendUnavailable

if TYPE_CHECKING:
    from webchat.backends.openai.choice import ModelChoice

MAX_EVENT = 2**20
AT_REST = "webchat-rest"
"""The name of an event of our own behind all that was read at once."""
LAST_WORDS = 2**12
"""Bytes at the end of an answer in which an error may stand that is no event."""
GATHERING, FOR_EACH, LONGEST_GATHERING = 0.1, 0.0025, 0.22
"""Seconds that the model server's events may gather before they are read, for each answer that is read at once as many
more, and at most. What gathers may be lost to a kill. Waking a thread for each token costs four times as much."""
UNSEEN_END = 0.04
"""The same at most where we are woken neither by the answer's end nor see it coming."""
OF_MODEL = (400, 404, 422, 500)
"""Statuses with which servers say that they do not have a model."""
USAGE = {"stream_options": {"include_usage": True}}


class OpenAIStream:
    """The pieces of one answer, to be iterated once. Raises BackendUnavailable while it is iterated.

    `cancel` from any thread ends the iteration within milliseconds and breaks the connection off, also before the
    first byte came; only a connection that is still being made is waited for, and closed as soon as it exists.
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
        """`agent_timeout` is in the place of the server's read timeout where an agent answers; None is any time.

        `names_model`: an event tells if the server says that another model writes than the one asked for. `context`
        is the size of the model's in tokens, 0 if only the server may know it.
        """
        self._server = server
        self._model = model
        self._is_renewed = False
        """Whether another model was asked in the place of one that the server has no longer."""
        self._agent_timeout = agent_timeout
        self._shown = Shown(messages)
        self._question = {"stream": True, **extra_body}
        self._wire = Wire()
        self._begun = False
        self._spoken = False
        """Whether the answer's first text, or reasoning, is out."""
        self._is_whole = False
        """Whether what is being read ends with an event, and so with an `AT_REST`."""
        self._is_at_end = False
        """Whether all that the server sends has been read."""
        self._retries = Retries()
        self._names_model, self._context = names_model, context
        self._asked_model = self._told_model = ""

    def __iter__(self) -> Iterator[Piece]:
        try:
            with closing(self._together()) as pieces:
                for piece in pieces:
                    if self._wire.is_cut:
                        return
                    yield piece
                    self._spoken = self._spoken or isinstance(piece, str) or _is_reasoning(piece)
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
        """The pieces; texts that were read at once are one, since whatever is done with them costs by the piece."""
        texts: list[str] = []
        try:
            for piece in self._pieces():
                if isinstance(piece, str) and self._is_whole:
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
        question = {"model": model, "messages": self._shown.told(), **usage, **self._question}
        with self._server.ask(question, self._wire, patience) as response:
            if response.is_success:
                self._begun = True
                yield from self._answer(response)
                return
            refusal = opening(response, MAX_REFUSAL)
        yield from self._refused(response, refusal, is_about_usage=bool(usage) and _is_about_usage(refusal))
        yield from self._pieces()

    def _refused(self, response: httpx.Response, refusal: bytes, *, is_about_usage: bool) -> Iterator[Piece]:
        """Wait or change the question, for another try. Raises BackendUnavailable if that would be of no use."""
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
            yield Event("status", f"{reason}; asking again in {left} s")
            self._wire.pause(1)

    def _answer(self, response: httpx.Response) -> Iterator[Piece]:
        if "text/event-stream" in response.headers.get("content-type", ""):
            return self._streamed(response)
        return self._whole(response)

    def _streamed(self, response: httpx.Response) -> Iterator[Piece]:
        """An answer is whole with a finish reason or with [DONE]: a cut connection can look like a good end."""
        reader, done = AnswerReader(), False
        try:
            for data in self._events(response):
                if data is AT_REST:
                    yield Event("rest")
                    continue
                done = data == "[DONE]"
                if done:
                    break
                yield from reader.read(self._object(data))
                if reader.model != self._told_model:
                    yield from self._written_by(reader.model)
        except httpx.TransportError:
            if not reader.finish_reason:
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
        """The answer's end, with the size of the model's context if that is known."""
        for piece in reader.end():
            if isinstance(piece, Event) and piece.kind == "usage":
                size = self._context or self._server.context_of(self._asked_model, reader.model)
                yield replace(piece, data={**piece.data, "context": size}) if size else piece
            else:
                yield piece

    def _written_by(self, model: str) -> Iterator[Event]:
        """Tell which model writes the answer, if it is another than the one that was asked for."""
        if model and model not in (self._told_model, self._asked_model) and self._names_model:
            yield Event("model", f"{_shown(model)} at {self._server.endpoint.host}")
        self._told_model = model

    def _events(self, response: httpx.Response) -> Iterator[str]:
        """The data of each event. The bytes are bounded on their way into the parser, which would keep any number."""
        # Nearly all servers send as asked, without an encoding; httpx's look for one costs a quarter of the reading.
        is_encoded = "content-encoding" in response.headers
        self._let_gather(response)
        parts = response.iter_bytes() if is_encoded else response.iter_raw()
        bounded = httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=self._bounded(parts))
        for event in EventSource(bounded).iter_sse():
            if event.event == AT_REST:
                yield AT_REST
                continue
            data = event.data.strip()
            if data and not (self._is_at_end and _is_torn(data)):
                yield data

    def _let_gather(self, response: httpx.Response) -> None:
        """Have the connection read less often and more at once: once the first text is out, what follows may gather.

        Within the connection's own `read`, since only there it is known that all that was read before is used up.
        Where the server is slower than that, what it sends is read when it comes.
        """
        stream: Any = response.extensions["network_stream"]
        closes = "close" in response.headers.get("connection", "").lower() or response.http_version == "HTTP/1.0"
        can_see_end = closes or response.url.scheme == "http"
        read_at_once, took, size = stream.read, 0.0, 0

        def read(max_bytes: int, timeout: float | None = None) -> bytes:
            nonlocal took, size
            longest = min(GATHERING + FOR_EACH * self._server.answers, LONGEST_GATHERING)
            if self._spoken and took < longest and size < PLENTY:
                seconds = longest if can_see_end else UNSEEN_END
                self._wire.gather(seconds, closes=closes)
            asked = time.monotonic()
            data: bytes = read_at_once(max_bytes, timeout)
            took, size = time.monotonic() - asked, len(data)
            return data

        stream.read = read

    def _bounded(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        size, tail, last = 0, b"", b""
        for part in parts:
            if part.endswith(b"\n\n"):  # as nearly all do
                size, tail, last = 0, b"", part
                self._is_whole = True
                yield part + b"event: %s\n\n" % AT_REST.encode()
                continue
            self._is_whole = False
            known = tail + part
            blank_line = max(known.rfind(end) for end in (b"\n\n", b"\r\n\r\n", b"\r\r"))
            size = size + len(part) if blank_line < 0 else len(known) - blank_line
            if size > MAX_EVENT:
                raise problems.oversized(self._server.endpoint)
            tail, last = known[-3:], (last + part)[-LAST_WORDS:]
            yield part
        self._is_at_end = True
        # An event counts without the empty line that should end it, and an error also without the name of a field.
        line = last.rstrip().rpartition(b"\n")[2]
        yield (b"\ndata: " + line if line.startswith(b"{") else b"") + b"\n\n"

    def _object(self, text: str | bytes) -> Any:  # noqa: ANN401
        """What the server sent as JSON, or None if it is none. Raises BackendUnavailable for an error object."""
        sent = problems.decoded(text)
        if isinstance(sent, dict) and sent.get("error"):
            raise problems.of_report(sent["error"], self._server.endpoint)
        return sent


def _shown(model: str) -> str:
    """A model's name; of a file's path, which llama.cpp and others give, the file's name."""
    is_path = model.startswith(("/", "~", ".")) or model[1:3] == ":\\"
    return re.split(r"[/\\]", model.rstrip("/\\"))[-1] if is_path else model


def _is_torn(data: str) -> bool:
    """Whether an event that the server did not end is only a part of one."""
    return data != "[DONE]" and problems.decoded(data) is None


def _is_about_usage(refusal: bytes) -> bool:
    return b"stream_options" in refusal or b"include_usage" in refusal


def _is_reasoning(piece: Piece) -> bool:
    return isinstance(piece, Event) and piece.kind == "reasoning"
