"""The events of one answer as they come from a model server. Knows nothing of what they mean."""

from __future__ import annotations

import time
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
"""Stands behind the events that were read at once."""
ERROR = "error"
"""The name of an event that ends the answer, whatever its data are."""
LAST_WORDS = 2**12
"""Bytes at the end of an answer in which an error may stand that is no event."""
GATHERING, FOR_EACH, LONGEST_GATHERING = 0.1, 0.0025, 0.22
"""Seconds that the model server's events may gather before they are read, for each answer that is read at once as many
more, and at most. What gathers may be lost to a kill. Waking a thread for each token costs four times as much."""
LONG, GATHERING_LONG = 1_600, 0.2
"""An answer of which so many characters have come gathers for that long: nobody has read so far yet."""
UNSEEN_END = 0.04
"""The same at most where we are woken neither by the answer's end nor see it coming."""


class Incoming:
    """Reads the answer to one question, and lets what comes gather before it is read."""

    def __init__(self, server: Server, wire: Wire) -> None:
        self._server, self._wire = server, wire
        self.told = 0
        """Characters of text and reasoning that are out: what follows the first may gather."""
        self.is_whole = False
        """Whether what is being read ends with an event, and so with an `AT_REST`."""
        self._is_at_end = False
        """Whether all that the server sends has been read."""

    def events(self, response: httpx.Response) -> Iterator[str]:
        """The data of each event, and AT_REST behind all that was read at once. Raises BackendUnavailable at an error.

        The bytes are bounded on their way into the parser, which would keep any number.
        """
        # Nearly all servers send as asked, without an encoding; httpx's look for one costs a quarter of the reading.
        is_encoded = "content-encoding" in response.headers
        self._let_gather(response)
        parts = self._bounded(response.iter_bytes() if is_encoded else response.iter_raw())
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
        """The data of the events that begin with this part, which may need more of them to be whole."""
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
            least = GATHERING if self.told < LONG else GATHERING_LONG
            longest = min(least + FOR_EACH * self._server.answers, LONGEST_GATHERING)
            if self.told and took < longest and size < PLENTY:
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
        # An event counts without the empty line that should end it, and an error also without the name of a field.
        line = last.rstrip().rpartition(b"\n")[2]
        yield (b"\ndata: " + line if line.startswith(b"{") else b"") + b"\n\n"


def _is_plain(part: bytes) -> bool:
    """Whether these whole events have one line of data each, as nearly all have. A parser for all kinds costs more."""
    has_only_data = part.startswith(b"data:") and b"\r" not in part
    return has_only_data and part.count(b"\n") == 2 * (part.count(b"\n\ndata:") + 1)


def _is_torn(data: str) -> bool:
    """Whether an event that the server did not end is only a part of one."""
    return data != "[DONE]" and problems.decoded(data) is None
