"""The event loop for all asynchronous agents of this process, in a thread of its own.

An agent's client belongs to the loop on which it was first used; with a loop for each answer the second would fail.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any

from webchat import threads

log = logging.getLogger(__name__)
_making = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def submit(coroutine: Coroutine[Any, Any, None]) -> Future[None]:
    """Run it on the loop, in the caller's context; `cancel()` of what is returned cancels its task.

    Raises NoThreads.
    """
    try:
        return asyncio.run_coroutine_threadsafe(coroutine, _running_loop())
    except BaseException:
        coroutine.close()
        raise


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop
    with _making:
        if _loop is None:
            loop = asyncio.new_event_loop()
            threads.start(_run, "agents", loop)
            _loop = loop
        return _loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    while True:
        try:
            loop.run_forever()
        except BaseException:  # SystemExit in a task of an agent's own, say: the other answers go on
            log.exception("an agent broke off the event loop")


def _forget() -> None:
    """A process that was forked has no thread but its own."""
    global _loop, _making
    _loop, _making = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
