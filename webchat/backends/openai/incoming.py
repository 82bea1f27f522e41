"""Reads the events of one answer from a model server. Does not know what they mean."""

from __future__ import annotations

import re
import time
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
from httpx_sse import EventSource

from webchat.backends.openai import problems
from webchat.backends.openai.gathering import PLENTY
from webchat.backends.openai.server import Server
from webchat.backends.openai.wire import Wire

MAX_EVENT = 2**20
AT_REST = "webchat-rest"
"""Marks the end of the events that were read together."""
_EVENT = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:(?:data|event|id|retry) *)?:")
ERROR = "error"
"""The name of an event that ends the answer, whatever its data is."""
LAST_WORDS = 2**12
"""Bytes at the end of an answer that are searched for an error that is no event; the most read for the first event."""
GATHERING, FOR_EACH, LONGEST_GATHERING = 0.1, 0.0025, 0.21
"""Seconds that the model server's events may collect before they are read; seconds to add for each parallel answer; the
most seconds. If the process is killed, the events that have collected are lost, and so are those before them if they
are still being written: together, about a quarter of a second of an answer. Without collecting, a thread would wake for
each token, which costs four times as much."""
LONG, GATHERING_LONG = 1_600, 0.2
"""After so many characters, events may collect for so many seconds: nobody has read that far yet."""
UNSEEN_END = 0.04
"""The most seconds if the answer's end neither wakes us nor can be seen in the socket."""


class _Begun(httpx.SyncByteStream):
    """A response's body whose beginning has been read."""

    def __init__(self, stream: httpx.SyncByteStream) -> None:
        self._stream, self._parts = stream, iter(stream)
        self.first = b""
        for part in self._parts:
            self.first += part
            begin = self.first.removeprefix(BOM_UTF8).lstrip()
            if b":" in begin or len(begin) >= len(b"event:") or len(self.first) > LAST_WORDS:
                break

    def __iter__(self) -> Iterator[bytes]:
        yield self.first
        yield from self._parts

    def close(self) -> None:
        self._stream.close()


def is_stream(response: httpx.Response) -> bool:
    """Whether the response is an event stream, as some servers send without saying so. Raises httpx.RequestError."""
    kind = response.headers.get("content-type", "")
    if "text/event-stream" in kind or "json" in kind or not isinstance(response.stream, httpx.SyncByteStream):
        return "text/event-stream" in kind
    try:
        response.stream = begun = _Begun(response.stream)
    except httpx.RequestError as error:
        error.request = response.request  # as httpx does if the response itself is read; the message needs its timeouts
        raise
    return bool(_EVENT.match(begun.first))


class Incoming:
    """Reads the answer to one question; lets its events collect in the socket before they are read."""

    def __init__(self, server: Server, wire: Wire) -> None:
        self._server, self._wire = server, wire
        self.passed_on = 0
        """Characters of text and reasoning that have been passed on: events may collect only after the first."""
        self.is_whole = False
        """Whether what is being read ends with a complete event, so that AT_REST follows."""
        self._is_at_end = False
        """Whether all that the server sends has been read."""

    def events(self, response: httpx.Response) -> Iterator[str]:
        """The data of each event, and AT_REST after all that was read together. Raises BackendUnavailable at an error.

        The size of an event is limited before it reaches the parser, which would buffer any amount.
        """
        # Nearly all servers send no content encoding, as requested; httpx's check for one costs a quarter of the
        # reading.
        is_encoded = "content-encoding" in response.headers
        self._let_gather(response)
        parts = self._bounded(_without_mark(response.iter_bytes() if is_encoded else response.iter_raw()))
        for part in parts:
            if self.is_whole and _is_plain(part):
                for line in part.decode(errors="replace").split("\n\n")[:-1]:
                    if data := line[len("data:") :].strip():
                        yield data
            else:
                yield from self._parsed(part, parts)
            if self.is_whole:
                yield AT_REST

    def _parsed(self, part: bytes, more: Iterator[bytes]) -> Iterator[str]:
        """The data of the events that begin in this part; reads more parts if the last event is incomplete."""
        sent = httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=self._until_whole(part, more))
        for event in EventSource(sent).iter_sse():
            data = event.data.strip()
            if event.event == ERROR:
                sent = problems.decoded(data)
                raise problems.of_report(problems.report_in(sent) or sent or data, self._server.endpoint)
            if data and not (self._is_at_end and _is_torn(data)):
                yield data

    def _until_whole(self, part: bytes, more: Iterator[bytes]) -> Iterator[bytes]:
        yield part
        while not self.is_whole and (part := next(more, b"")):
            yield part

    def _let_gather(self, response: httpx.Response) -> None:
        """Make the connection read less often and more at once, after the first text has been passed on.

        This wraps the connection's own `read`: only when that is called, everything read before has been used. If the
        server sends more slowly than that, its events are read as they come.
        """
        stream: Any = response.extensions["network_stream"]
        closes = "close" in response.headers.get("connection", "").lower() or response.http_version == "HTTP/1.0"
        can_see_end = closes or response.url.scheme == "http"
        read_at_once, took, size = stream.read, 0.0, 0

        def read(max_bytes: int, timeout: float | None = None) -> bytes:
            nonlocal took, size
            least = GATHERING if self.passed_on < LONG else GATHERING_LONG
            longest = min(least + FOR_EACH * self._server.answers, LONGEST_GATHERING)
            if self.passed_on and took < longest and size < PLENTY:
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
            if part.endswith(b"\n\n"):  # as nearly all parts do
                size, tail, last = 0, b"", part
                self.is_whole = True
                yield part
                continue
            self.is_whole = False
            known = tail + part
            blank_line = max(known.rfind(end) for end in (b"\n\n", b"\r\n\r\n", b"\r\r"))
            size = size + len(part) if blank_line < 0 else len(known) - blank_line
            if size > MAX_EVENT:
                raise problems.oversized(self._server.endpoint)
            tail, last = known[-3:], (last + part)[-LAST_WORDS:]
            yield part
        self._is_at_end = True
        # The last event counts even without the empty line that should end it, and an error even without a field name.
        line = last.rstrip().rpartition(b"\n")[2]
        yield (b"\ndata: " + line if line.startswith(b"{") else b"") + b"\n\n"


def _without_mark(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The parts without a byte order mark at the beginning."""
    yield next(parts, b"").removeprefix(BOM_UTF8)
    yield from parts


def _is_plain(part: bytes) -> bool:
    """Whether these complete events have one line of data each, as nearly all have: a full parser costs more."""
    has_only_data = part.startswith(b"data:") and b"\r" not in part
    return has_only_data and part.count(b"\n") == 2 * (part.count(b"\n\ndata:") + 1)


def _is_torn(data: str) -> bool:
    """Whether an event without an end is incomplete."""
    return data != "[DONE]" and problems.decoded(data) is None
