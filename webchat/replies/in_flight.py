"""The replies that this process runs, and those that it could not save."""

from __future__ import annotations

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

    def end(self, run: ReplyRunner, release: Release) -> None:
        """Release the session of a reply that has ended."""
        # In this order: the next writer finds the run and waits for its end, not for the lease.
        if not (run.is_saved or run.is_withdrawn):
            self.unsaved[run.session_id] = run.view
        release()
        if self.runs.get(run.session_id) is run:
            del self.runs[run.session_id]

    def interrupt_all(self, grace: float, patience: float) -> None:
        """Let all replies end for `grace` seconds, then interrupt the others and give them `patience` seconds."""
        end = time.monotonic() + grace
        for run in list(self.runs.values()):
            run.wait(max(0.0, end - time.monotonic()))
        runs = list(self.runs.values())
        for run in runs:
            run.stop("interrupted")
        for run in runs:
            run.wait(patience)
