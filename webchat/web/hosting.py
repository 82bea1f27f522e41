"""What a request reveals about the server that runs the application: its threads, and whether it is shutting down."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any, Protocol

UNKNOWN = 4
"""Streams that may be open if the number of threads is unknown: gunicorn's examples begin with 8 threads."""
FOR_PAGES = 28
"""Threads that streams leave to everything else; half of all if there are fewer."""
PARKING = "webchat.parking"
"""The key in the WSGI environment with the Parking of a server that can take the thread away from a stream."""
NAMES_ITSELF = ("SERVER_SOFTWARE", "uwsgi.version")


class Pause(Protocol):
    """A stream has nothing to send until that time of the monotonic clock, or until `wake` is called."""

    @property
    def until(self) -> float: ...

    def call(self, wake: Callable[[], object]) -> None: ...


class Parking(Protocol):
    """The offer of a server that stops at an empty piece of a stream's body and continues after the pause."""

    most: int
    """Streams that may be open at once."""

    @property
    def has_room(self) -> bool:
        """Whether a stream with frequent pauses may keep its thread, which is cheaper."""

    def begin(self) -> None:
        """Announce, before the body is returned, that it will pause."""

    def park(self, pause: Pause) -> None:
        """Announce the pause, before an empty piece of the body."""


def parking(environ: Mapping[str, Any]) -> Parking | None:
    """The offer of this request's server; None if a body always keeps its thread."""
    offered: Parking | None = environ.get(PARKING)
    return offered


def most_streams(environ: Mapping[str, Any]) -> int:
    """How many of the server's threads long requests may hold; 0 if it has a single one."""
    server = getattr(getattr(environ.get("waitress.client_disconnected"), "__self__", None), "server", None)
    if server is not None:
        threads: int = server.adj.threads
        return threads - min(FOR_PAGES, (threads + 1) // 2)
    one_at_a_time = not environ.get("wsgi.multithread") and any(name in environ for name in NAMES_ITSELF)
    return 0 if one_at_a_time else UNKNOWN


def is_ending() -> bool:
    """Whether the server is shutting down: gunicorn and uvicorn then wait for open requests, for 30 s or for ever.

    Both handle SIGTERM by a method of their server object, which sets an attribute.
    """
    serving = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return getattr(serving, "alive", True) is False or getattr(serving, "should_exit", False) is True
