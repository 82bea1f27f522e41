"""Many parallel visitors in a process of their own: reads a plan from stdin, writes the results to stdout, as JSON.

Kept cheap, since it shares the machine with the measured server. Everything that arrives is checked.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from bench.fake_model import parted

STAMP = re.compile(r"(\d+)x(\d+)(?=\s|<)")
PATIENCE = 60.0
PERSON = "X-Remote-User"
"""The header in which a proxy names who has signed in."""


class Stream:
    """One request on a connection of its own, and its answer as it comes."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._rest = b""
        self.whole = False
        """Whether the answer is complete; one that broke off is not."""
        self.wire_bytes = 0

    async def status(self) -> int:
        head = await self._reader.readuntil(b"\r\n\r\n")
        self.wire_bytes += len(head)
        return int(head.split(None, 2)[1])

    async def texts(self) -> AsyncIterator[bytes]:
        """The body, in the pieces that arrive."""
        while not self.whole and (data := await self._reader.read(65536)):
            self.wire_bytes += len(data)
            if text := self._unframed(data):
                yield text

    def _unframed(self, data: bytes) -> bytes:
        """The content of the complete chunks; the rest waits for more."""
        self._rest += data
        text, rest = b"", self._rest
        while (line := rest.find(b"\r\n")) >= 0:
            size = int(rest[:line], 16)
            if len(rest) < line + 4 + size:
                break
            text += rest[line + 2 : line + 2 + size]
            rest = rest[line + 4 + size :]
            if size == 0:
                self.whole = True
                break
        self._rest = rest
        return text


@asynccontextmanager
async def asked(
    port: int, method: str, path: str, accept: str, person: str = "", **fields: str
) -> AsyncIterator[Stream]:
    """The response to a request; `person` is the name that a proxy passes on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = urlencode(fields).encode()
    kind = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n" if body else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: {accept}\r\n{kind}"
    head += "HX-Request: true\r\n" if accept == "text/html" else ""
    head += f"{PERSON}: {person}\r\n" if person else ""
    writer.write(f"{head}\r\n".encode() + body)
    try:
        yield Stream(reader)
    finally:
        writer.close()


def lateness(text: str, arrived: float, expected: int) -> tuple[list[float], int]:
    """How late, in milliseconds, the stamped pieces in `text` are from number `expected` on; the number after them."""
    late = []
    for number, due in STAMP.findall(text):
        if int(number) == expected:
            late.append((arrived - int(due) / 1e6) * 1000)
            expected += 1
    return late, expected


async def plain_reader(port: int, session: str, message: str) -> dict[str, Any]:
    """Send a message and read its answer as plain text."""
    late: list[float] = []
    text, checked, expected, began = "", 0, 0, 0.0
    async with asked(port, "POST", f"/sessions/{session}/messages", "text/plain", message=message) as stream:
        status = await stream.status()
        async for data in stream.texts():
            arrived = time.monotonic()
            began = began or arrived
            text += data.decode()
            new, expected = lateness(text[checked:], arrived, expected)
            checked = max(text.rfind(" "), text.rfind("\n")) + 1
            late += new
    numbers = [int(number) for number, _ in STAMP.findall(text)]
    right = status == 200 and stream.whole and numbers == list(range(int(message.split()[1])))
    return {"late": late, "right": right, "began": began, "ended": time.monotonic()}


_WHOLE = 'data-role="assistant" data-status="complete"'
"""Part of the event that marks the answer as complete."""


def shown(event: str) -> str:
    """The text in an event of a page's stream: markup to swap in, or the growth of a text, which ends with a piece."""
    kind, _, data = event.partition("\ndata: ")
    return "".join(json.loads(data)[4:]) + " " if kind == "event: more" else event


async def page_reader(port: int, session: str, message: str, writer: int = 0) -> dict[str, Any]:
    """Open a session's page stream, send a message as the page does, and read until the answer is complete.

    The message goes to the server at the port `writer`, if that is another one.
    """
    late: list[float] = []
    expected, is_whole, began = 0, False, 0.0
    async with asked(port, "GET", f"/events?session={session}&after=0..0&more=1", "text/event-stream") as stream:
        status = await stream.status()
        sending = asyncio.create_task(_send(writer or port, session, message))
        rest = ""
        async for data in stream.texts():
            arrived = time.monotonic()
            *events, rest = (rest + data.decode()).split("\n\n")
            for event in events:
                new, expected = lateness(shown(event), arrived, expected)
                late += new
                began = began or (arrived if late else 0.0)
                is_whole = is_whole or _WHOLE in event
            if is_whole:
                break
        sent = await sending
    right = status == sent == 200 and expected == int(message.split()[1])
    return {"late": late, "right": right, "began": began, "ended": time.monotonic()}


async def essay_reader(port: int, session: str, message: str) -> dict[str, Any]:
    """Follow one long answer as the page does; returns everything received, including framing and headers."""
    async with asked(port, "GET", f"/events?session={session}&after=0..0&more=1", "text/event-stream") as stream:
        status = await stream.status()
        sent = await _send(port, session, message)
        text = ""
        async for data in stream.texts():
            text += data.decode()
            if _WHOLE in text:
                break
    return {"right": status == sent == 200, "bytes": stream.wire_bytes}


async def _send(port: int, session: str, message: str) -> int:
    async with asked(port, "POST", f"/sessions/{session}/messages", "text/html", message=message) as stream:
        return await stream.status()


async def user(port: int, session: str, questions: int, answer: str) -> dict[str, Any]:
    """Ask one question after another, each once the previous answer is complete. `session`: its owner and its id."""
    person, session_id = session.split()
    first_texts, late, right = [], [], True
    for number in range(questions):
        start, text = time.monotonic(), b""
        path = f"/sessions/{session_id}/messages"
        async with asked(port, "POST", path, "text/plain", person, message=f"question {number}") as stream:
            status = await stream.status()
            async for data in stream.texts():
                if not text:
                    first_texts.append((time.monotonic() - start) * 1000)
                text += data
        said, ended = parted(text.decode())
        late.append((time.monotonic() - ended) * 1000)
        right &= status == 200 and stream.whole and said == answer
    return {"first": first_texts, "late": late, "right": right}


VISITORS: dict[str, Callable[..., Coroutine[Any, Any, dict[str, Any]]]] = {
    "plain": plain_reader,
    "page": page_reader,
    "essay": essay_reader,
    "user": user,
}


async def run(port: int, visitor: str, sessions: Sequence[str], *rest: Any) -> dict[str, Any]:  # noqa: ANN401
    """One visitor for each session, all at once."""
    start = time.monotonic()
    visiting = [VISITORS[visitor](port, session, *rest) for session in sessions]
    done = await asyncio.wait_for(asyncio.gather(*visiting, return_exceptions=True), PATIENCE)
    visits = [visit if isinstance(visit, dict) else {"right": False, "error": repr(visit)} for visit in done]
    return {"visits": visits, "took": time.monotonic() - start, "own_cpu": time.process_time()}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(*json.load(sys.stdin)))))
