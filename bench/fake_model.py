"""A model server that costs next to nothing: the OpenAI API's streamed answers, at a pace, to as many as ask."""

from __future__ import annotations

import asyncio
import json
import re
import sys

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def token(number: int) -> str:
    return f"token{number} "


def whole_answer(tokens: int) -> str:
    """What an answer comes to."""
    return "".join(map(token, range(tokens)))


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

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._open = False

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        if end and len(body) >= (int(length[1]) if length else 0):
            self._received = b""
            self._transport.write(HEAD)
            loop = asyncio.get_running_loop()
            loop.call_later(self._delay, self._say, 0, loop.time() + self._delay)

    def _say(self, number: int, due: float) -> None:
        if not self._open:
            return
        self._transport.write(self._chunks[number])
        if number + 1 < len(self._chunks):
            due += self._delay
            asyncio.get_running_loop().call_at(due, self._say, number + 1, due)


async def serve(tokens: int, delay: float) -> None:
    """Answer everything that is asked until the process is ended; the first token comes after one delay."""
    chunks = [_chunk(delta={"content": token(number)}, finish_reason=None) for number in range(tokens)]
    chunks[-1] += _chunk(delta={}, finish_reason="stop") + _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"
    server = await asyncio.get_running_loop().create_server(lambda: Connection(chunks, delay), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
