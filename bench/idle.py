"""The cost of idle open pages, and how soon a message reaches its page."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench import earlier, processes
from bench.client import HTMX, Visitor
from bench.figures import Figure, Wrong, of_times

PAGES, SECONDS = 200, 20.0
MANY = 2000
SETTLING = 0.015
"""Seconds per page until all have looked for changes once and been notified of the changed list."""
TOLD = 100
"""How many of the pages get a message, one after the other."""
PATIENCE = 10.0


@dataclass(frozen=True)
class Rest:
    """`cpu`: milliseconds per second, `memory`: MiB, `told`: milliseconds from posting a message to its arrival."""

    cpu: float
    memory: float
    told: list[float]


def open_pages() -> list[Figure]:
    """The processor time of 200 pages' streams, each with its own session."""
    rest = _measured(PAGES)
    return [Figure(f"{PAGES} open pages at rest, CPU in a second", rest.cpu, "ms", 20)]


def many_pages() -> list[Figure]:
    """The same for 2,000, compared with 200 of an earlier state, in which each page looked for changes itself."""
    with earlier.sources() as sources:
        before = _measured(PAGES, sources)
    rest = _measured(MANY, told=TOLD)
    return [
        Figure(f"{PAGES} open pages at rest in {earlier.STATE}, CPU in a second", before.cpu, "ms"),
        Figure(f"{MANY} open pages at rest, CPU in a second", rest.cpu, "ms", before.cpu),
        Figure("the process's memory with them", rest.memory, "MiB", 250),
        of_times("a message reaches its page among them", rest.told, 100, judged="p95"),
    ]


def _measured(pages: int, root: Path = processes.ROOT, told: int = 0) -> Rest:
    with processes.home() as home, ExitStack() as opened:
        options = ("--max-streams", str(pages), "--max-streams-per-client", "0")
        server = opened.enter_context(processes.chat(home, *options, root=root))
        visitor, streams = Visitor(server), dict[str, socket.socket]()
        for _ in range(pages):
            session = visitor.new_session()
            visitor.say(session, "hello")
            streams[session] = opened.enter_context(_stream(server, session))
        time.sleep(3 + SETTLING * pages)
        before = server.cpu()
        time.sleep(SECONDS)
        cpu = 1000 * (server.cpu() - before) / SECONDS
        memory = server.resident()
        some = [*streams.items()][:: max(1, pages // told)] if told else []
        return Rest(cpu, memory, [_told(server, session, stream) for session, stream in some])


def _stream(server: processes.Server, session: str) -> socket.socket:
    address = urlsplit(server.url)
    connection = socket.create_connection((address.hostname or "", address.port or 0))
    connection.sendall(f"GET /events?session={session} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
    if b" 200 " not in connection.recv(4096):
        raise Wrong("a page got no stream")
    return connection


def _told(server: processes.Server, session: str, stream: socket.socket) -> float:
    """Milliseconds until the page with this stream has a message that is posted to its session."""
    stream.setblocking(False)
    try:
        while stream.recv(65536):
            pass
    except BlockingIOError:
        stream.settimeout(PATIENCE)
    text = f"news for {session}"
    began = time.perf_counter()
    Visitor(server).post(f"/sessions/{session}/messages", HTMX, message=text)
    received = b""
    while text.encode() not in received:
        data = stream.recv(65536)
        if not data:
            raise Wrong("a page's stream ended")
        received += data
    return (time.perf_counter() - began) * 1000
