"""Runs one reply: asks, collects what comes, writes it down. Knows neither who answers nor who reads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from webchat import reference, threads
from webchat.backends import Event, Piece
from webchat.chat.message import Message
from webchat.chat.parts import Permission
from webchat.chat.session import short_id
from webchat.errors import (
    BackendUnavailable,
    SessionEnded,
    SessionUnknown,
    StorageError,
    WebChatError,
    unforeseen,
)
from webchat.observer import NOBODY, Observer, ReplyReport, line_of
from webchat.replies.backend_errors import backend_errors, raise_as_ours
from webchat.replies.recorder import MAX_ANSWER, ReplyRecorder
from webchat.storage.protocols import Release, ReplyLog

log = logging.getLogger("webchat.reply")
COMMIT_PATIENCE = 10.0
"""Seconds that the next message waits for an answer's last step, on a slow disk."""
_END: Any = object()


class Ask(Protocol):
    """Asks the backend; with `again` the session is taken up anew first, since the backend did not know it."""

    @property
    def label(self) -> str:
        """Which model answers, as far as is known."""

    @property
    def early(self) -> bool:
        """Whether the backend may be asked while the question is still being saved."""

    def __call__(self, *, again: bool) -> Iterable[Piece]: ...

    def answer(self, permission_id: str, option_id: str) -> None:
        """Tell the backend what the person has chosen."""


class ReplyRunner:
    """One reply and its thread, which no request owns: it goes on when the page is closed.

    Nothing is written before `let_write`, and nothing at all after `withdraw`. Whoever began it calls `flush_if_due`
    all the time and `tend` now and then, until it has ended.
    """

    def __init__(
        self,
        session_id: str,
        header: Mapping[str, Any],
        ask: Ask,
        begin: Callable[[], ReplyLog],
        changed: Callable[[bool], None],
        done: Callable[[ReplyRunner], None],
        asked: Callable[[], None],
        *,
        observer: Observer = NOBODY,
        max_answer: int = MAX_ANSWER,
    ) -> None:
        """`begin` begins the log. `changed(urgent)` is called after each write, `done(self)` before others may write.

        `asked()` is called when the person is asked something, and when they have answered. An answer of more than
        `max_answer` bytes is cut off there.
        """
        self.session_id = session_id
        self.id = str(header["id"])
        self.error: WebChatError | None = None
        self.is_saved = False
        """Whether the transcript has the answer."""
        self.is_withdrawn = False
        self.recorder = ReplyRecorder(header, begin, changed, max_answer)
        self.view = self.recorder.view
        self._ask = ask
        self._changed, self._done, self._asked_something, self._observer = changed, done, asked, observer
        # The thread works for the request that began it, and is found under its reference.
        self._reference = reference.current.get()
        self._spoke_after: float | None = None
        self._pieces = 0
        self._began_at = self._tended_at = time.monotonic()
        self._waited = 0.0
        """Seconds that the reply has waited for the person."""
        self._guard = threading.Lock()
        self._cancel: Callable[[], object] | None = None
        self._ending: str | None = None
        self._answered = threading.Event()
        self._decided = threading.Event()
        """Set by `let_write` and `withdraw`."""
        self._finished = threading.Event()

    def start(self, release: Release, then: Callable[[], object]) -> None:
        """Run in a thread of its own; `release` gives the session's lock back at the end, and `then` is called.

        Raises NoThreads; the lock is the caller's still then.
        """
        threads.start(self._run, f"reply-{self.session_id[:20]}", release, then)

    def let_write(self) -> None:
        """Write down and show what comes: the question is saved, and the log begun."""
        self._decided.set()

    def withdraw(self) -> None:
        """End the answer, and write nothing of it."""
        self.is_withdrawn = True
        self.stop()
        self._decided.set()

    def stop(self, status: str = "stopped") -> None:
        """End the answer now, at the backend too; what came is kept with this status."""
        with self._guard:
            self._ending = self._ending or status
        self._hang_up()

    def _hang_up(self) -> None:
        """End the answer at the backend."""
        with self._guard:
            cancel, self._cancel = self._cancel, None
        _quietly(cancel)

    @property
    def is_over(self) -> bool:
        """Whether nobody should be told to wait for the answer; gives its last step, the commit, time to end."""
        return self._answered.is_set() and self.wait(COMMIT_PATIENCE)

    @property
    def message(self) -> Message:
        """The answer as it stands, with its final status after the end."""
        return self.view.message(alive=not self._finished.is_set())

    def wait_for_text(self, timeout: float) -> None:
        """Wait for the first piece of text, in seconds at most."""
        self.recorder.spoken.wait(timeout)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, in seconds; whether it has come. The next message is accepted then."""
        return self._finished.wait(timeout)

    def _run(self, release: Release, then: Callable[[], object]) -> None:
        reference.current.set(self._reference)
        self._observer.reply_began()
        try:
            self._answer()
        except WebChatError as error:
            self.error = error
        except BaseException as error:  # also asyncio's CancelledError and SystemExit: nobody else would end this
            self.error = unforeseen(error)
        self._answered.set()
        self._decided.wait()
        try:
            if not self.is_withdrawn:
                self._commit()
        except Exception as error:
            log.exception("the reply in session %s could not be saved", self.session_id)
            self.error = self.error or _unsaved(error)
            self.view.take({"end": self.message.status, "error": str(self.error)})
        finally:
            self._let_go(release)
            then()

    def _let_go(self, release: Release) -> None:
        """Let others write in the session, whatever fails on the way: nobody else would."""
        try:
            try:
                self._done(self)
            finally:
                self._report()
        except Exception:
            log.exception("the end of the reply in session %s could not be noted", self.session_id)
        finally:
            self.recorder.leave()
            release()
            self._finished.set()
            self._changed(True)

    def _report(self) -> None:
        """Say how it went: no word of what was said."""
        report = ReplyReport(
            session=short_id(self.session_id),
            status=self._final_status(),
            model=self.message.model or "",
            first_piece=self._spoke_after,
            seconds=time.monotonic() - self._began_at,
            pieces=self._pieces,
            error=type(self.error).__name__ if self.error else "",
        )
        log.info(*line_of(report))
        if self.error:  # whose text may quote the model's server, and that what was said
            log.debug("why the reply in %s failed", report.session, exc_info=self.error)
        self._observer.reply_ended(report)

    def _answer(self) -> None:
        if not self._ask.early:
            self._decided.wait()
        if self.is_withdrawn:
            return
        try:
            self._consume(self._asked(again=False))
        except SessionUnknown:
            self._consume(self._asked(again=True))

    def _asked(self, *, again: bool) -> Iterable[Piece]:
        with backend_errors():
            return self._ask(again=again)

    def _consume(self, pieces: Iterable[Piece]) -> None:
        with backend_errors():
            iterator = iter(pieces)
        self._on_stop(getattr(pieces, "cancel", None) or getattr(iterator, "cancel", None))
        try:
            for piece in self._until_stopped(iterator):
                self._write(piece)
        finally:
            self._on_stop(None)
            _quietly(getattr(iterator, "close", None))

    def _until_stopped(self, iterator: Iterator[Piece]) -> Iterator[Piece]:
        while not self._ending:
            try:  # without `backend_errors`, which would cost as much as a piece
                piece = next(iterator, _END)
            except Exception as error:
                if self._ending:  # a connection that a stop has closed is no failure
                    return
                raise_as_ours(error)
            if not self._decided.is_set():
                self._decided.wait()
            if piece is _END or self.is_withdrawn:
                return
            yield piece

    def _on_stop(self, cancel: Callable[[], object] | None) -> None:
        with self._guard:
            self._cancel = None if self._ending else cancel
            late = self._ending is not None
        if late:
            _quietly(cancel)

    def _write(self, piece: Piece) -> None:
        if isinstance(piece, str) or (isinstance(piece, Event) and piece.kind == "reasoning"):
            self._count_piece()
        try:
            is_time = self.recorder.take(piece)
            # A first piece goes at once, and so does one that `flush_if_due` should have taken: where a disk fails,
            # here is where the answer ends.
            if is_time:
                self.recorder.flush()
        except OSError as error:
            self.stop("interrupted")
            raise _unsaved(error) from error
        except BackendUnavailable:
            self._hang_up()
            raise
        if isinstance(piece, Permission):
            self._asked_something()

    def choose(self, permission_id: str, option_id: str, by: str) -> bool:
        """Answer a question for the person; whether it was open. Raises OSError."""
        if not self.recorder.choose(permission_id, option_id, by):
            return False
        _quietly(lambda: self._ask.answer(permission_id, option_id))
        self._asked_something()
        return True

    def _count_piece(self) -> None:
        self._pieces += 1
        if self._spoke_after is None:
            self._spoke_after = time.monotonic() - self._began_at
            self._observer.reply_spoke(self._spoke_after)

    def heed(self, requests: Sequence[Mapping[str, Any]]) -> None:
        """Do what other processes have requested, all of it since the reply began. Raises OSError."""
        if any("stop" in request for request in requests):
            self.stop()
        for question in self.view.questions:
            choice = first_choice(requests, question.id)
            if choice:
                self.choose(question.id, str(choice.get("option")), str(choice.get("by", "")))

    def tend(self, longest: float) -> None:
        """What is due from time to time: write down what has come, say for how long the model is silent or that it is
        being stopped, and end what takes more than `longest` seconds (0 is any time). Raises OSError.

        The time in which the reply waits for the person does not count.
        """
        now = time.monotonic()
        if self.recorder.is_asking:
            self._waited += now - self._tended_at
        self._tended_at = now
        if not self._answered.is_set():  # after that nobody would write it
            if 0 < longest < now - self._began_at - self._waited and not self._ending:
                self.recorder.note(f"Ended after {longest:g} seconds: an answer may take no longer here.")
                self.stop()
            self.recorder.say_what_is_waited_for(is_stopping=self._ending is not None)
        self.recorder.flush()

    def _commit(self) -> None:
        """Move the finished answer into the transcript, then let go of the log. Raises OSError."""
        final = {"end": self._final_status()}
        with suppress(Exception):  # a backend that cannot say who it was is no reason to lose what it said
            final["model"] = self._ask.label
        if self.error and (not self._ending or isinstance(self.error, StorageError)):
            final |= {"error": str(self.error), "code": "ended" if isinstance(self.error, SessionEnded) else ""}
        self.recorder.end(final)
        self.recorder.commit(self.message)
        self.is_saved = True

    def _final_status(self) -> str:
        if self._ending:
            return self._ending
        return "failed" if self.error else "complete"


def first_choice(requests: Sequence[Mapping[str, Any]], permission_id: str) -> Mapping[str, Any] | None:
    """The first answer to this question among the requests; later ones came too late."""
    return next((request for request in requests if request.get("permission") == permission_id), None)


def _unsaved(error: Exception) -> WebChatError:
    kept = "What came is kept as long as the server runs, and saved with your next message"
    return (
        StorageError("The answer could not be saved", error, kept) if isinstance(error, OSError) else unforeseen(error)
    )


def _quietly(call: Callable[[], object] | None) -> None:
    if call is None:
        return
    try:
        call()
    except Exception:
        log.warning("the backend failed while its answer was ended", exc_info=True)
