"""The replies that this process runs, and those that it could not save."""

from __future__ import annotations

import threading
import time

from webchat.chat.reply import ReplyView
from webchat.replies.runner import ReplyRunner
from webchat.storage.protocols import Release


class RepliesInFlight:
    """At most one reply for each session."""

    def __init__(self) -> None:
        self.runs: dict[str, ReplyRunner] = {}
        self.unsaved: dict[str, ReplyView] = {}
        """Replies that have ended and could not be saved, until the next message in their session."""
        self._ended = threading.Condition()
        self._is_grace_over = False

    def end(self, run: ReplyRunner, release: Release) -> None:
        """Release the session of a reply that has ended."""
        # In this order: the next writer finds the run and waits for its end, not for the lease.
        if not (run.is_saved or run.is_withdrawn):
            self.unsaved[run.session_id] = run.view
        release()
        self.drop(run)

    def drop(self, run: ReplyRunner) -> None:
        """Forget a reply."""
        with self._ended:
            if self.runs.get(run.session_id) is run:
                del self.runs[run.session_id]
            self._ended.notify_all()

    def interrupt_all(self, grace: float, patience: float) -> None:
        """Let all replies end for `grace` seconds, then interrupt the others and give them `patience` seconds."""
        begun = [*self.runs.values()]
        with self._ended:
            self._ended.wait_for(lambda: self._is_grace_over or not self.runs, grace)
            self._is_grace_over = True
        late = [*self.runs.values()]
        for run in late:
            run.stop("interrupted")
        end = time.monotonic() + patience
        for run in (*begun, *late):
            run.wait(max(0.0, end - time.monotonic()))

    def end_grace(self) -> bool:
        """Have `interrupt_all` wait no longer for replies; returns whether it might have waited."""
        with self._ended:
            was_over, self._is_grace_over = self._is_grace_over, True
            self._ended.notify_all()
        return not was_over
