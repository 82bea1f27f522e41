"""Runs one reply: asks the backend and records the pieces. Knows no particular backend and no reader."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, nullcontext, suppress
from typing import Any

from webchat import reference
from webchat.backends import Event, Piece
from webchat.chat.message import Message
from webchat.chat.parts import Permission
from webchat.chat.session import short_id
from webchat.errors import (
    BackendUnavailable,
    LeaseLost,
    NothingSaid,
    SessionUnknown,
    StorageError,
    WebChatError,
    unforeseen,
    why,
)
from webchat.observer import Observer, ReplyReport, line_of
from webchat.replies.backend_errors import backend_errors
from webchat.replies.kept_errors import code_of
from webchat.replies.meter import ReplyMeter
from webchat.replies.piece_stream import PieceStream
from webchat.replies.protocols import Ask, ReplyEvents
from webchat.replies.recorder import ReplyRecorder
from webchat.replies.write_pace import ReplyTimes
from webchat.threads import ReusedThreads

log = logging.getLogger("webchat.reply")
COMMIT_PATIENCE = 10.0
"""Seconds that the next message waits for an answer's commit, on a slow disk."""
NOT_HANDED_ON = "Your answer could not be passed on to the agent. Try again."


class ReplyRunner:
    """One reply and its thread, which is independent of requests: it continues when the page is closed.

    Nothing is written before `let_write`, and nothing after `withdraw`. Until it ends, `Tending` calls `flush_if_due`
    and `tend` regularly.
    """

    def __init__(
        self,
        session_id: str,
        header: Mapping[str, Any],
        ask: Ask,
        events: ReplyEvents,
        observer: Observer,
        times: ReplyTimes,
    ) -> None:
        self.session_id = session_id
        self.id = str(header["id"])
        self.error: WebChatError | None = None
        self.is_saved = False
        """Whether the transcript has the answer."""
        self.is_withdrawn = False
        self.recorder = ReplyRecorder(header, events.begin_log, events.changed, times)
        self.view = self.recorder.view
        self._ask, self._events, self._observer = ask, events, observer
        # The thread logs under the reference of the request that began it.
        self._reference = reference.current.get()
        self._stream, self._meter = PieceStream(), ReplyMeter()
        self._answered, self._finished = threading.Event(), threading.Event()
        self._decided = threading.Event()
        """Set by `let_write` and `withdraw`."""

    def start(self, threads: ReusedThreads) -> None:
        """Run in a thread of its own. Raises NoThreads; then there are no events."""
        threads.start(self._run, f"reply-{self.session_id[:20]}")

    def let_write(self) -> None:
        """Write and show the pieces from now on: the question is saved, and the log begun."""
        self._decided.set()

    def withdraw(self, status: str = "stopped") -> None:
        """End the answer, and write nothing more of it."""
        self.is_withdrawn = True
        self.stop(status)
        self._decided.set()

    def lose(self) -> None:
        """Like `withdraw`, because another server has taken over the session; that keeps what was written so far."""
        where = short_id(self.session_id)
        log.warning("dropping the reply in session %s: this server was unresponsive for too long", where)
        self.withdraw("interrupted")

    def stop(self, status: str = "stopped") -> None:
        """End the answer now, also at the backend; the text so far is kept with this status."""
        self._stream.stop(status)

    @property
    def is_over(self) -> bool:
        """Whether the answer has ended; if only its commit is left, waits for that."""
        return self._answered.is_set() and self.wait(COMMIT_PATIENCE)

    @property
    def message(self) -> Message:
        """The answer as it stands, with its final status after the end."""
        return self.view.message(alive=not self._finished.is_set())

    def wait_for_text(self, timeout: float) -> None:
        """Wait for the first text, for `timeout` seconds at most."""
        self.recorder.spoken.wait(timeout)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end for `timeout` seconds; returns whether it has ended, and the next message is accepted."""
        return self._finished.wait(timeout)

    def _run(self) -> None:
        reference.current.set(self._reference)
        self._observer.reply_began()
        try:
            self._answer()
        except WebChatError as error:
            self.error = error
        except BaseException as error:  # also asyncio's CancelledError and SystemExit: the session must be released
            self.error = unforeseen(error)
        self._answered.set()
        self._decided.wait()
        with nullcontext() if self._stream.stopped_as else self._events.ending():
            self._end()
        self._events.over(self)

    def _end(self) -> None:
        """Save the answer, and release the session."""
        try:
            if not self.is_withdrawn:
                self._commit()
        except LeaseLost:
            self.lose()
        except Exception as error:
            log.exception("the reply in session %s could not be saved", self.session_id)
            self.error = self.error or _unsaved(error)
            self.view.take({"end": self.message.status, "error": str(self.error)})
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Release the session, even if something fails before."""
        try:
            try:
                self._events.ended(self)
            finally:
                self._report()
        except Exception:
            log.exception("the end of the reply in session %s could not be recorded", self.session_id)
        finally:
            self.recorder.leave()
            self._events.let_go(self)
            self._finished.set()
            self._events.changed(True)

    def _report(self) -> None:
        """Log and count the outcome, without any text of the answer."""
        report = ReplyReport(
            session=short_id(self.session_id),
            status=self._final_status(),
            model=self.message.model or "",
            first_piece=self._meter.first_piece,
            seconds=self._meter.seconds,
            pieces=self._meter.pieces,
            error=type(self.error).__name__ if self.error else "",
        )
        log.info(*line_of(report))
        if self.error:  # at debug level: its text may quote the model server, and so the conversation
            log.debug("why the reply in %s failed", report.session, exc_info=self.error)
        self._observer.reply_ended(report)

    def _answer(self) -> None:
        if not self._ask.early:
            self._decided.wait()
        if self.is_withdrawn:
            return
        try:
            try:
                self._consume(self._asked(again=False))
            except SessionUnknown:
                self._consume(self._asked(again=True))
            self._require_words()
        except NothingSaid as error:
            if self.view.extends is None:
                raise
            self.recorder.note(str(error))

    def _require_words(self) -> None:
        """Raises NothingSaid if the answer has ended by itself without anything to show."""
        if self._stream.stopped_as or self.is_withdrawn:
            return
        try:
            if self.recorder.is_blank:
                raise NothingSaid
        except OSError as error:
            self._break_off(error)

    def _asked(self, *, again: bool) -> Iterable[Piece]:
        with backend_errors():
            return self._ask(again=again)

    def _consume(self, pieces: Iterable[Piece]) -> None:
        with closing(self._stream.read(pieces)) as incoming:
            for piece in incoming:
                if not self._decided.is_set():
                    self._decided.wait()
                if self.is_withdrawn:
                    return
                self._write(piece)

    def _write(self, piece: Piece) -> None:
        is_said = isinstance(piece, str) or (isinstance(piece, Event) and piece.kind == "reasoning")
        if is_said and self._meter.count():
            self._observer.reply_spoke(self._meter.first_piece or 0.0)
        try:
            is_time = self.recorder.take(piece)
            # Also what `flush_if_due` should have written: if the disk fails, the answer ends here.
            if is_time:
                self.recorder.flush()
        except LeaseLost:
            self.lose()
        except OSError as error:
            self._break_off(error)
        except BackendUnavailable:
            self._stream.hang_up()
            raise
        if isinstance(piece, Permission):
            self._events.asked()

    def _break_off(self, error: OSError) -> None:
        """End an answer that cannot be written to its log; its end may still be saved."""
        log.warning("the reply in session %s could not be written", short_id(self.session_id), exc_info=error)
        self.recorder.note(f"The answer broke off, because it could not be saved: {why(error)}.")
        self.stop("interrupted")

    def choose(self, permission_id: str, option_id: str, by: str) -> bool:
        """Pass on the person's answer to a question; returns whether it was open. Raises OSError."""
        if not self.recorder.choose(permission_id, option_id, by):
            return False
        try:
            self._ask.answer(permission_id, option_id)
        except Exception:
            where = short_id(self.session_id)
            log.warning("the answer to a question could not be passed on in session %s", where, exc_info=True)
            self.error = BackendUnavailable(NOT_HANDED_ON)
            self.stop("failed")
        self._events.asked()
        return True

    def heed(self, requests: Sequence[Mapping[str, Any]]) -> None:
        """Carry out the requests of other processes. Raises OSError."""
        if any("stop" in request for request in requests):
            self.stop()
        for question in self.view.questions:
            if choice := first_choice(requests, question.id):
                self.choose(question.id, str(choice.get("option")), str(choice.get("by", "")))

    def tend(self, longest: float) -> None:
        """Write what is unwritten, update the status of a silent or stopping reply, and end one that takes more than
        `longest` seconds (0: no limit). Called regularly. Raises OSError.

        The time that the reply waits for the person does not count.
        """
        took = self._meter.working_seconds(is_asking=self.recorder.is_asking)
        if not self._answered.is_set():  # afterwards nobody would write the note
            if 0 < longest < took and not self._stream.stopped_as:
                self.recorder.note(f"Stopped after {longest:g} seconds, the time limit for an answer.")
                self.stop()
            self.recorder.say_what_is_waited_for(is_stopping=self._stream.stopped_as is not None)
        self.recorder.flush()

    def _commit(self) -> None:
        """Move the finished answer from the log into the transcript. Raises OSError."""
        final = {"end": self._final_status()}
        with suppress(Exception):  # an answer must not be lost because its backend has no label
            final["model"] = self.recorder.written_by or self._ask.label
        if self.error and self._stream.stopped_as in (None, "failed"):
            final |= {"error": str(self.error), "code": code_of(self.error)}
        self.recorder.end(final)
        self.recorder.commit(self.message)
        self.is_saved = True

    def _final_status(self) -> str:
        return self._stream.stopped_as or ("failed" if self.error else "complete")


def first_choice(requests: Sequence[Mapping[str, Any]], permission_id: str) -> Mapping[str, Any] | None:
    """The first answer to this question among the requests; later ones came too late."""
    return next((request for request in requests if request.get("permission") == permission_id), None)


def _unsaved(error: Exception) -> WebChatError:
    if not isinstance(error, OSError):
        return unforeseen(error)
    kept = "The text so far is kept while the server runs, and saved with your next message"
    return StorageError("The answer could not be saved", error, kept)
