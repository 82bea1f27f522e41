"""The web server: waitress in one process, set up for many open streams and a quick end."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import resource
import signal
import socket
import threading
import time
from contextlib import suppress
from types import FrameType

from flask import Flask

from webchat.manager import WebChatSessionManager
from webchat.serving.connections import Server
from webchat.serving.listening import listen as listen
from webchat.serving.listening import remove
from webchat.web import security
from webchat.web.hosting import FOR_PAGES

log = logging.getLogger(__name__)

MALLOC = ((-8, 2), (-3, 256 * 1024))
"""M_ARENA_MAX and M_MMAP_THRESHOLD, see mallopt(3)."""
FLUSH_TIME = 0.2
"""Seconds that the last bytes of streams have to leave, once all answers have ended."""
OPEN_FILES = 16_384
LARGEST_BODY = 1024 * 1024 * 1024 + 16 * 1024 * 1024
"""Bytes; up to here a request that is too large gets the application's own answer."""


def give_memory_back() -> None:
    """Have glibc give large blocks back at once, and have its threads share their heaps.

    Left alone, each of many heaps keeps what one answer of 4 MiB took in it once: 250 MiB where 80 do.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        for option, value in MALLOC:
            libc.mallopt(option, value)


def run(
    app: Flask, manager: WebChatSessionManager, listening: socket.socket, *, max_streams: int, grace: float
) -> None:
    """Serve until SIGTERM or SIGINT; then answers in flight have `grace` seconds to end, and are kept as they are.

    Meanwhile nothing new is begun. A second signal does not wait for that.
    """
    _allow_files()
    give_memory_back()
    # What is loaded stays, and what an answer makes is mostly gone by itself: both are looked through in vain, often.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
    server = Server(app, listening, max_streams + FOR_PAGES, LARGEST_BODY, security.headers())
    path = listening.getsockname() if listening.family == socket.AF_UNIX else ""
    ending = threading.Event()

    def close() -> None:
        # In a thread of its own, while the server goes on: what was asked for still gets its answer's end.
        if manager.answers_in_flight and grace:
            log.warning("ending in %g seconds, or when all answers have; once more ends at once", grace)
        manager.close(grace)
        time.sleep(FLUSH_TIME)
        os.kill(os.getpid(), signal.SIGTERM)

    def end(number: int, frame: FrameType | None) -> None:
        if ending.is_set():
            raise SystemExit(0)
        ending.set()
        threading.Thread(target=close, daemon=True).start()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    manager.keep_house()
    try:
        server.run()  # until SystemExit, which waitress takes for its end
    finally:
        server.close()
        remove(path)


def _allow_files() -> None:
    """Enough open files for all connections and uploads, where the system lets us: many begin with 1,024."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    if now != resource.RLIM_INFINITY and now < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, most))
