"""A model server that costs next to nothing: streams answers in OpenAI's format, at a pace, to any number of clients.

As real servers do, it begins with a chunk that has a role and no text, and closes a connection when asked to. Without
a number of tokens it answers "essay 2000 at 50", "code …" and "table …" with words, and "stamps …" with the times at
which it sends them.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Callable

from bench.texts import SHAPES

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSE = b"\r\nConnection: close\r\n\r\n"
NOW = "0" * 16
"""Stands in an answer for the microseconds of the system's monotonic clock when the piece is sent."""


def token(number: int) -> str:
    return f"token{number} "


def words(tokens: int) -> str:
    """The whole text of an answer, without the stamp at its end."""
    return "".join(map(token, range(tokens)))


def parted(answer: str) -> tuple[str, float]:
    """An answer without its stamp, and when the server sent its end, on the system's monotonic clock."""
    text, _, stamp = answer.rpartition("end")
    return text, int(stamp) / 1e6


def _models() -> bytes:
    """The response to GET /v1/models, which some clients need first."""
    listed = json.dumps({"object": "list", "data": [{"id": "fake", "object": "model", "owned_by": "bench"}]}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(listed) + listed


def _last_chunks() -> bytes:
    """The stamp, the finish reason, and the stream's end."""
    stamp = _chunk(delta={"content": f"end{time.monotonic_ns() // 1000}"}, finish_reason=None)
    return stamp + _chunk(delta={}, finish_reason="stop") + _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def _chunk(**choice: object) -> bytes:
    completion = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "fake"}
    return _framed(f"data: {json.dumps({**completion, 'choices': [{'index': 0, **choice}]})}\n\n".encode())


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Connection(asyncio.Protocol):
    """One connection: a request, its answer on a schedule, the next request."""

    def __init__(self, chunks: list[bytes], delay: float) -> None:
        self._chunks, self._delay = chunks, delay
        self._received = b""
        self._open = True
        self._is_last = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._open = False

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if end and head.startswith(b"GET"):
            self._received = b""
            self._transport.write(_models())
            return
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        if end and len(body) >= (int(length[1]) if length else 0):
            self._received = b""
            self._take(body)
            self._is_last = b"connection: close" in head.lower()
            self._transport.write(HEAD.replace(b"\r\n\r\n", CLOSE) if self._is_last else HEAD)
            self._transport.write(_chunk(delta={"role": "assistant", "content": ""}, finish_reason=None))
            loop = asyncio.get_running_loop()
            loop.call_later(self._delay, self._say, 0, loop.time() + self._delay)

    def _take(self, body: bytes) -> None:
        """Read the question."""

    def _say(self, number: int, due: float) -> None:
        if not self._open:
            return
        self._transport.write(self._chunks[number].replace(NOW.encode(), b"%016d" % (time.monotonic_ns() // 1000)))
        if number + 1 < len(self._chunks):
            due += self._delay
            asyncio.get_running_loop().call_at(due, self._say, number + 1, due)
            return
        self._transport.write(_last_chunks())
        if self._is_last:
            self._transport.close()


class Writer(Connection):
    """One connection whose answers have the requested words."""

    def __init__(self) -> None:
        super().__init__([], 0.0)

    def _take(self, body: bytes) -> None:
        shape, count, _, rate = json.loads(body)["messages"][-1]["content"].split()
        pieces = [f"{NOW} "] * int(count) if shape == "stamps" else SHAPES[shape](int(count))
        self._chunks = [_chunk(delta={"content": piece}, finish_reason=None) for piece in pieces]
        self._delay = 1 / float(rate)


async def serve(connection: Callable[[], asyncio.Protocol]) -> None:
    """Answer all requests until the process is terminated; the first token comes after one delay."""
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    if len(sys.argv) == 1:
        asyncio.run(serve(Writer))
        return
    tokens, delay = int(sys.argv[1]), float(sys.argv[2])
    chunks = [_chunk(delta={"content": token(number)}, finish_reason=None) for number in range(tokens)]
    asyncio.run(serve(lambda: Connection(chunks, delay)))


if __name__ == "__main__":
    main()
