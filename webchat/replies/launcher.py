"""Launches replies: saves the question, begins the log, and starts the thread. Knows no backend."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from webchat.errors import NoThreads, StorageError, WebChatError
from webchat.limits import Turnstile
from webchat.observer import Observer
from webchat.replies.in_flight import RepliesInFlight
from webchat.replies.protocols import Ask
from webchat.replies.runner import ReplyRunner
from webchat.replies.tending import Tending
from webchat.replies.turn import Turn
from webchat.replies.write_pace import ReplyTimes
from webchat.storage.protocols import Release, ReplyLog, Storage
from webchat.threads import ReusedThreads

log = logging.getLogger(__name__)
END_PATIENCE = 0.25
"""Seconds that the end of an answer may be delayed by new messages, whose senders wait for the first text."""
WITHDRAWAL_PATIENCE = 2.0
"""Seconds that the sender waits for the end of an answer that could not be launched."""


@dataclass(frozen=True)
class FollowUp:
    """Reactions to a reply, besides its text."""

    asked: Callable[[], object]
    """Called when the person was asked something, or has answered."""
    ended: Callable[[ReplyRunner], object]
    """Called when the reply has ended; its session is still locked."""


@dataclass(frozen=True)
class _SessionEvents:
    """Passes one reply's events to the storage and its follow-up."""

    session_id: str
    header: Mapping[str, Any]
    follow_up: FollowUp
    storage: Storage
    in_flight: RepliesInFlight
    release: Release
    turnstile: Turnstile
    then: Callable[[ReplyRunner], object]

    def begin_log(self) -> ReplyLog:
        return self.storage.replies.begin(self.session_id, self.header)

    def changed(self, urgent: bool) -> None:
        self.storage.bus.publish(self.session_id, urgent=urgent)

    def asked(self) -> None:
        self.follow_up.asked()

    def ending(self) -> AbstractContextManager[None]:
        return self.turnstile.passing_last(END_PATIENCE)

    def ended(self, run: ReplyRunner) -> None:
        self.follow_up.ended(run)

    def let_go(self, run: ReplyRunner) -> None:
        self.in_flight.end(run, self.release)

    def over(self, run: ReplyRunner) -> None:
        self.then(run)


class ReplyLauncher:
    """Launches replies over one storage."""

    def __init__(
        self,
        storage: Storage,
        in_flight: RepliesInFlight,
        tending: Tending,
        turnstile: Turnstile,
        observer: Observer,
        then: Callable[[ReplyRunner], object],
        times: ReplyTimes,
    ) -> None:
        """`then` is called in a reply's thread when it has ended and released its session."""
        self._storage, self._in_flight, self._tending, self._turnstile = storage, in_flight, tending, turnstile
        self._observer, self._then, self._times = observer, then, times
        self._threads = ReusedThreads()

    def launch(
        self, turn: Turn, header: Mapping[str, Any], ask: Ask, follow_up: FollowUp, save: Callable[[], object]
    ) -> ReplyRunner:
        """Start an answer in a thread of its own, which takes over the turn.

        `save` stores the question. Nothing of the answer is written or shown before that, and only a backend without
        side effects is asked before. Raises StorageError, NoThreads and the exceptions of `save`; then nothing of an
        answer remains.
        """
        release = turn.hand_over()
        at_end = release, self._turnstile, self._then
        events = _SessionEvents(turn.session_id, header, follow_up, self._storage, self._in_flight, *at_end)
        run = ReplyRunner(turn.session_id, header, ask, events, self._observer, self._times)
        try:
            run.start(self._threads)
        except NoThreads as error:  # the question is kept: a retry gets it answered
            turn.take_back(release)
            run.withdraw()
            follow_up.ended(run)
            save()
            raise _not_started(error) from error
        try:
            save()
            self._show(run)
        except BaseException:
            self._take_back(run)
            raise
        return run

    def _show(self, run: ReplyRunner) -> None:
        """Begin the answer's log and let the run write to it. Raises StorageError, NoThreads."""
        try:
            run.recorder.begin()
            self._in_flight.runs[run.session_id] = run
            self._tending.start()
        except (OSError, NoThreads) as error:
            raise _not_started(error) from error
        run.let_write()

    def _take_back(self, run: ReplyRunner) -> None:
        """End an answer that cannot be written, and remove its log, which would otherwise count as an answer."""
        self._in_flight.drop(run)
        try:
            run.recorder.discard()
        except OSError:
            log.warning("the log of an answer that did not start could not be removed", exc_info=True)
        run.withdraw()
        run.wait(WITHDRAWAL_PATIENCE)


def _not_started(error: OSError | NoThreads) -> WebChatError:
    what = "Your message is saved, but no answer could be started"
    if isinstance(error, NoThreads):
        return NoThreads(f"{what}. Send it again in a few seconds.")
    return StorageError(what, error, "Try again when that is fixed")
