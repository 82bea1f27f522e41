"""The web server: waitress in one process, set up for many open streams and a quick end."""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
import threading
import time
from types import FrameType

from flask import Flask

from webchat.manager import WebChatSessionManager
from webchat.serving import memory
from webchat.serving.bounds import Bounds
from webchat.serving.connections import Server
from webchat.serving.listening import listen as listen
from webchat.serving.listening import remove
from webchat.web import security
from webchat.web.hosting import FOR_PAGES

log = logging.getLogger(__name__)
FLUSH_TIME = 0.2
"""Seconds for sending the last bytes of streams, after all answers have ended."""
LAST_NEWS = 3.0
"""The most seconds for sending the last changes to all open pages at the end."""
OPEN_FILES = 16_384
MOST_HELD = 250
"""Threads for scripts that wait for an answer; open pages hold none."""
TOO_FEW_FILES = (
    "the system's limit of %d open files allows live updates for %d pages only, others poll every 5 s; "
    "raise it with ulimit -n or systemd's LimitNOFILE"
)
LARGEST_BODY = 1024 * 1024 * 1024 + 16 * 1024 * 1024
"""Bytes; a request that is too large, but not larger than this, gets the application's own error."""


def run(
    app: Flask,
    manager: WebChatSessionManager,
    listening: socket.socket,
    *,
    max_streams: int,
    grace: float,
    bounds: Bounds | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; then let answers in flight run for `grace` seconds, and save them as they are.

    Meanwhile new ones are refused. A second signal ends the wait for answers or, if nothing is waiting, the process at
    once. `bounds` are those of connections.
    """
    _allow_files()
    memory.give_memory_back()
    memory.collect_rarely()
    threads = min(max_streams, MOST_HELD) + FOR_PAGES
    server = Server(app, listening, threads, LARGEST_BODY, security.headers(), bounds)
    if server.most_streams < max_streams:
        log.warning(TOO_FEW_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[0], server.most_streams)
    path = listening.getsockname() if listening.family == socket.AF_UNIX else ""
    shutdown = _Shutdown(manager, server, grace)
    signal.signal(signal.SIGTERM, shutdown.begin)
    signal.signal(signal.SIGINT, shutdown.begin)
    manager.keep_house()
    memory.Garbage().watch(shutdown.begun)
    try:
        server.run()  # returns after SystemExit, which waitress handles
    finally:
        server.close()
        remove(path)


class _Shutdown:
    """The shutdown, which a signal starts."""

    def __init__(self, manager: WebChatSessionManager, server: Server, grace: float) -> None:
        self._manager, self._server, self._grace = manager, server, grace
        self.begun = threading.Event()

    def begin(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal; a later one saves the answers in flight as they are, or else ends the process at once."""
        if self.begun.is_set():
            if self._manager.end_grace():
                return
            raise SystemExit(0)
        self.begun.set()
        # In a thread of its own, while the server continues: open requests still get the end of their answers.
        threading.Thread(target=self._close, daemon=True).start()

    def _close(self) -> None:
        if self._manager.answers_in_flight and self._grace:
            log.warning("ending in %g seconds, or when all answers have ended; repeat to end at once", self._grace)
        self._manager.close(self._grace)
        self._server.wait_for_tasks(LAST_NEWS)  # each open page gets a thread, so that its stream can end
        time.sleep(FLUSH_TIME)
        os.kill(os.getpid(), signal.SIGTERM)


def _allow_files() -> None:
    """Raise the limit of open files as far as allowed, for all connections and uploads: the default is often 1,024."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    if now != resource.RLIM_INFINITY and now < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, most))
