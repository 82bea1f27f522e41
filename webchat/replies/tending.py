"""One thread that writes pending pieces and handles stop requests, for all replies of a process. Knows no backend."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Mapping

from webchat import threads
from webchat.errors import LeaseLost
from webchat.replies.runner import ReplyRunner
from webchat.storage.protocols import ReplyLogs
from webchat.storage.wakeups import POLL_INTERVAL

log = logging.getLogger(__name__)
LOOK_INTERVAL = 0.02
"""Seconds at least between two checks for unwritten pieces; `POLL_INTERVAL` at most."""
FEW = 8
"""The most replies whose own threads write their pieces: if there are more, one thread for all is cheaper. There is no
such limit if threads share their writes: together they need one statement, and one thread would need one for each."""


class Tending:
    """Writes pieces that have waited long enough, and carries out requests of other processes."""

    def __init__(
        self, runs: Mapping[str, ReplyRunner], replies: ReplyLogs, longest_answer: float, stopping: threading.Event
    ) -> None:
        """`runs` are the replies in flight by session; `longest_answer` is the most seconds of one (0: no limit)."""
        self._runs, self._replies = runs, replies
        self._longest_answer, self._stopping = longest_answer, stopping
        self._guard, self._running = threading.Lock(), False

    def start(self) -> None:
        """Start the thread, unless it is running. Raises NoThreads."""
        with self._guard:
            if not self._running:
                threads.start(self._run, "runs")
                self._running = True

    def _run(self) -> None:
        tended, pause = time.monotonic(), LOOK_INTERVAL
        while not self._stopping.wait(pause):
            is_time = time.monotonic() - tended >= POLL_INTERVAL
            runs = dict(self._runs)
            asked = self._asked(runs) if is_time else ()
            for session_id, run in runs.items():
                run.recorder.pace.is_one_of_few = len(runs) <= FEW or self._replies.shares_writes
                self._look_after(session_id, run, is_time, session_id in asked)
            if is_time:
                tended = time.monotonic()
            due = [run.recorder.due_in() for run in list(self._runs.values())]
            pause = max(LOOK_INTERVAL, min([tended + POLL_INTERVAL - time.monotonic(), *due]))
            with self._guard:
                if not self._runs:
                    self._running = False
                    return

    def _asked(self, session_ids: Collection[str]) -> Collection[str]:
        """Those of the sessions that may have requests. If that cannot be found out, all."""
        try:
            return self._replies.asked(session_ids)
        except OSError:
            return session_ids

    def _look_after(self, session_id: str, run: ReplyRunner, is_time: bool, is_asked: bool) -> None:
        try:
            if not is_time:
                run.recorder.flush_if_due()
                return
            if is_asked:
                run.heed(self._replies.requests(session_id))
            run.tend(self._longest_answer)
        except LeaseLost:
            run.lose()
        except OSError:
            log.debug("an answer could not be written to its log", exc_info=True)  # its own thread finds that, too
        except Exception:  # must not keep the other answers from being written
            log.exception("the reply in session %s could not be checked", session_id)
