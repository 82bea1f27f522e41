"""Runs one event loop, in a thread of its own, for all asynchronous agents of this process.

An agent's client is bound to the loop on which it was first used: with a loop per answer, the second would fail.
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
    """Run the coroutine on the loop, in the caller's context; `cancel()` on the returned future cancels its task.

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
        except BaseException:  # for example SystemExit in an agent's own task: the other answers go on
            log.exception("an agent broke off the event loop")


def _forget() -> None:
    """A forked process has only the forking thread, and needs a new loop."""
    global _loop, _making
    _loop, _making = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
