"""A model server that answers some questions well and fails at the others in many different ways."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

GOOD = 60
"""How many of a hundred answers are good."""
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
FLOOD = 100 * 2**20
Writer = asyncio.StreamWriter


def _event(text: str) -> bytes:
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': text}}]})}\n\n".encode()


def _status(line: str, *headers: str) -> Callable[[Writer], Awaitable[None]]:
    async def send(writer: Writer) -> None:
        body = json.dumps({"error": {"message": f"This is {line}."}})
        head = "\r\n".join([f"HTTP/1.1 {line}", *headers, f"Content-Length: {len(body)}", "Connection: close"])
        writer.write(f"{head}\r\n\r\n{body}".encode())

    return send


async def _good(writer: Writer) -> None:
    writer.write(STREAM)
    for number in range(random.randrange(5, 60)):
        writer.write(_event(f"token{number} "))
        await writer.drain()
        await asyncio.sleep(random.choice((0.0, 0.01, 0.05)))
    writer.write(b"data: [DONE]\n\n")


async def _cut(writer: Writer) -> None:
    writer.write(STREAM + _event("so far "))
    await writer.drain()
    await asyncio.sleep(0.2)


async def _reset(writer: Writer) -> None:
    await _cut(writer)
    writer.transport.abort()


async def _malformed(writer: Writer) -> None:
    writer.write(STREAM + _event("so far ") + b"data: {no json\n\n")


async def _silent(writer: Writer) -> None:
    await _until_gone(writer)


async def _silent_in_the_middle(writer: Writer) -> None:
    writer.write(STREAM + _event("so far "))
    await _until_gone(writer)


async def _drip(writer: Writer) -> None:
    writer.write(STREAM + _event("so far "))
    while not writer.is_closing():
        writer.write(b":")
        await writer.drain()
        await asyncio.sleep(0.5)


async def _flood(writer: Writer) -> None:
    writer.write(STREAM + _event("```\n"))
    part = _event("0123456789abcde\n" * 2048)
    for _ in range(FLOOD // len(part)):
        writer.write(part)
        await writer.drain()


async def _page(writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html>Log in</html>")


async def _until_gone(writer: Writer) -> None:
    while not writer.is_closing():
        await asyncio.sleep(0.1)


FAULTS: tuple[Callable[[Writer], Awaitable[None]], ...] = (
    _cut,
    _reset,
    _malformed,
    _silent,
    _silent_in_the_middle,
    _drip,
    _page,
    _status("401 Unauthorized"),
    _status("404 Not Found"),
    _status("429 Too Many Requests", "Retry-After: 1"),
    _status("500 Internal Server Error"),
)
FLOODS = 1
"""How many of a hundred answers are 100 MB long."""


def _answers() -> Iterator[Callable[[Writer], Awaitable[None]]]:
    """One of each kind first, so that every longer run includes all of them."""
    yield from random.sample([_good, _flood, *FAULTS], 2 + len(FAULTS))
    while True:
        chosen = random.uniform(0, 100)
        yield _good if chosen < GOOD else _flood if chosen > 100 - FLOODS else random.choice(FAULTS)


_next_answers = _answers()


async def _serve(reader: asyncio.StreamReader, writer: Writer) -> None:
    # Clients that hang up are expected here.
    with suppress(OSError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        act = next(_next_answers)
        watching = asyncio.create_task(_close_when_gone(reader, writer))
        try:
            await act(writer)
            await writer.drain()
        finally:
            watching.cancel()
            writer.close()


async def _close_when_gone(reader: asyncio.StreamReader, writer: Writer) -> None:
    with suppress(OSError):
        while await reader.read(65536):  # read the question's body, then send nothing until the client disconnects
            pass
    writer.close()


async def main() -> None:
    """Answer all requests until the process is ended."""
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
