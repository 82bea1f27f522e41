"""What a request tells of the server that runs the application: its threads, and whether it is ending."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

UNKNOWN = 4
"""Streams that may be open where the number of threads cannot be told: gunicorn's examples begin with 8 threads."""
FOR_PAGES = 28
"""Threads that streams leave to everything else, or half of them where there are fewer."""
NAMES_ITSELF = ("SERVER_SOFTWARE", "uwsgi.version")


def most_streams(environ: Mapping[str, Any]) -> int:
    """How many threads of this request's server may be held for long; 0 where it has only one for all requests."""
    server = getattr(getattr(environ.get("waitress.client_disconnected"), "__self__", None), "server", None)
    if server is not None:
        threads: int = server.adj.threads
        return threads - min(FOR_PAGES, (threads + 1) // 2)
    one_at_a_time = not environ.get("wsgi.multithread") and any(name in environ for name in NAMES_ITSELF)
    return 0 if one_at_a_time else UNKNOWN


def is_ending() -> bool:
    """Whether the server was told to end: gunicorn and uvicorn then wait for open requests, for 30 s or for ever.

    Both handle SIGTERM by a method of what serves, which notes it in an attribute.
    """
    serving = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return getattr(serving, "alive", True) is False or getattr(serving, "should_exit", False) is True
