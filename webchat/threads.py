"""Starts threads, and reports if the system has none left. Knows no chat."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from webchat.errors import NoThreads


def start(target: Callable[..., object], name: str, *args: Any) -> None:  # noqa: ANN401
    """Run `target(*args)` in a daemon thread. Raises NoThreads; then nothing was started."""
    try:
        threading.Thread(target=target, args=args, name=name, daemon=True).start()
    except RuntimeError as error:  # "can't start new thread"
        raise NoThreads from error
