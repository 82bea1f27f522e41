"""Serves a test's application with waitress inside the test's own process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.server import create_server

TURN = 0.1
"""Seconds between two looks at whether the test has ended."""


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """The address of the served application.

    Nothing is closed before all requests have ended: one that is late would wake the server's loop through its closed
    pipe, whose number may by then be that of anything else that this process has opened.
    """
    sockets: dict[int, Any] = {}
    server = create_server(app, host="127.0.0.1", port=0, threads=20, map=sockets)
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            wasyncore.loop(TURN, map=sockets, count=1)

    loop = threading.Thread(target=run, daemon=True)
    loop.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.task_dispatcher.shutdown(timeout=60)
    ended.set()
    loop.join()
    wasyncore.close_all(sockets)
