"""What open pages cost while nothing happens."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

from bench import processes
from bench.client import Visitor
from bench.figures import Figure, Wrong

PAGES, SECONDS = 200, 20.0
SETTLING = 3.0
"""Seconds for the streams' first looks."""


def open_pages() -> list[Figure]:
    """The processor time of 200 pages' streams, each of a session of its own."""
    with processes.home() as home, ExitStack() as opened:
        server = opened.enter_context(
            processes.chat(home, "--max-streams", str(PAGES), "--max-streams-per-client", "0")
        )
        visitor = Visitor(server)
        for _ in range(PAGES):
            session = visitor.new_session()
            visitor.say(session, "hello")
            opened.enter_context(_stream(server, session))
        time.sleep(SETTLING)
        before = server.cpu()
        time.sleep(SECONDS)
        used = server.cpu() - before
        return [Figure(f"{PAGES} open pages at rest, CPU in a second", 1000 * used / SECONDS, "ms", 20)]


def _stream(server: processes.Server, session: str) -> socket.socket:
    address = urlsplit(server.url)
    connection = socket.create_connection((address.hostname or "", address.port or 0))
    connection.sendall(f"GET /events?session={session} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
    if b" 200 " not in connection.recv(4096):
        raise Wrong("a page got no stream")
    return connection
