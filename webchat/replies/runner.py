"""Runs one reply: asks, collects what comes, writes it down. Knows neither who answers nor who reads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NoReturn, Protocol

from webchat import reference, threads
from webchat.backends import Event, Piece
from webchat.chat.message import Message
from webchat.errors import (
    BackendUnavailable,
    SessionEnded,
    SessionUnknown,
    StorageError,
    WebChatError,
    unforeseen,
)
from webchat.fileutil import Release
from webchat.observer import NOBODY, Observer, ReplyReport, line_of
from webchat.session_store import short_id
from webchat.storage.files.reply_log import Replies, ReplyView, commit
from webchat.storage.files.transcript import Transcripts

log = logging.getLogger("webchat.reply")
COMMIT_PATIENCE = 10.0
"""Seconds that the next message waits for an answer's last step, on a slow disk."""
WRITE_INTERVAL = 0.1
"""Seconds between two writes of one answer's log, and so between two updates of who reads along; what comes in between
is written together. Waking a thread costs more than what it then does."""
OWN_WRITE = 0.3
"""Seconds since the last write after which a reply's own thread writes."""
QUIET = 0.005
"""Seconds without a piece after which what came together, as a model server's gathered events do, is all there."""
SILENCE = 10.0
"""Seconds of a backend's silence after which it is said, and then every `SILENCE_STEP`."""
SILENCE_STEP = 5.0
MAX_ANSWER = 4 * 2**20
"""Bytes of one answer with all that is said beside it. A whole book has one; whatever sends more has lost its way."""
TOO_LONG = (
    "The answer was cut off: it is longer than the {:.3g} MiB that one answer may have. Try again, or ask for less."
)
STOPPING = {"s": "Stopping at the model's next word", "p": None}
"""Said where a backend cannot be cut short, or takes its time."""
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
        replies: Replies,
        transcripts: Transcripts,
        changed: Callable[[bool], None],
        done: Callable[[ReplyRunner], None],
        *,
        observer: Observer = NOBODY,
        max_answer: int = MAX_ANSWER,
    ) -> None:
        """`changed(urgent)` is called after each write, `done(self)` in the thread's end, before others may write.

        An answer of more than `max_answer` bytes is cut off there.
        """
        self.session_id = session_id
        self.id = str(header["id"])
        self.error: WebChatError | None = None
        self.is_saved = False
        """Whether the transcript has the answer."""
        self._ask, self._replies, self._transcripts = ask, replies, transcripts
        self._changed, self._done, self._observer = changed, done, observer
        # The thread works for the request that began it, and is found under its reference.
        self._reference = reference.current.get()
        self._spoke_after: float | None = None
        self._pieces = 0
        self._max_answer = self._room = max_answer
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._unwritten: list[dict[str, Any]] = []
        self._written_at = self._tried_at = self._unwritten_since = 0.0
        self._heard_at = self._began_at = time.monotonic()
        self._silence_said_at = self._heard_at
        self._doing: Mapping[str, Any] = {}
        """What the backend said last that it does; empty where text has come since."""
        self._cancel: Callable[[], object] | None = None
        self._ending: str | None = None
        self._spoken = threading.Event()
        self._answered = threading.Event()
        self._decided = threading.Event()
        """Set by `let_write` and `withdraw`."""
        self.is_withdrawn = False
        self._finished = threading.Event()
        self.view = ReplyView(header)

    def start(self, release: Release) -> None:
        """Run in a thread of its own; `release` gives the session's lock back at the end.

        Raises NoThreads; the lock is the caller's still then.
        """
        threads.start(self._run, f"reply-{self.session_id[:20]}", release)

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
        self._spoken.wait(timeout)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, in seconds; whether it has come. The next message is accepted then."""
        return self._finished.wait(timeout)

    def _run(self, release: Release) -> None:
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
            self._replies.leave(self.session_id)
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
                _raise_as_ours(error)
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
        record = _record(piece)
        if not record:
            return
        if "d" in record or "r" in record:
            self._count_piece()
        record, size = _fitting(record, self._room)
        self._room -= size
        now = time.monotonic()
        with self._writing:
            self._heard_at = self._silence_said_at = now
            if not self._unwritten:
                self._unwritten_since = now
            self._unwritten.append(record)
            self._doing = record if "s" in record else {}
        # The first piece goes at once, and so does one that `flush_if_due` should have taken: where a disk fails, here
        # is where the answer ends.
        if now - self._written_at > OWN_WRITE:
            try:
                self.flush()
            except OSError as error:
                self.stop("interrupted")
                raise _unsaved(error) from error
        if self._room < 0:
            self._hang_up()
            raise BackendUnavailable(TOO_LONG.format(self._max_answer / 2**20))

    def _count_piece(self) -> None:
        self._pieces += 1
        if self._spoke_after is None:
            self._spoke_after = time.monotonic() - self._began_at
            self._observer.reply_spoke(self._spoke_after)

    def tend(self, longest: float) -> None:
        """What is due from time to time: write down what has come, say for how long the model is silent or that it is
        being stopped, and end what takes more than `longest` seconds (0 is any time). Raises OSError.
        """
        now = time.monotonic()
        is_late = 0 < longest < now - self._began_at and not self._ending
        with self._writing:
            is_late = is_late and not self._answered.is_set()  # after that nobody would write the note
            if is_late:
                self._unwritten.append({"n": f"Ended after {longest:g} seconds: an answer may take no longer here."})
        if is_late:
            self.stop()
        with self._writing:
            if not self._answered.is_set():
                self._say_what_is_waited_for(now)
        self.flush()

    def _say_what_is_waited_for(self, now: float) -> None:
        """Called with the lock, until the answer has ended."""
        if self._ending and self._doing != STOPPING:
            self._unwritten.append(STOPPING)
            self._doing = STOPPING
        silent = now - self._heard_at
        if silent >= SILENCE and now - self._silence_said_at >= SILENCE_STEP:
            self._silence_said_at = now
            what = f"{self._doing['s']} ·" if self._doing else "No word from the model for"
            self._unwritten.append({"s": f"{what} {silent:.0f} s", "p": self._doing.get("p")})

    def flush_if_due(self) -> None:
        """Write down what has come, where it is complete for now or has waited for long enough. Raises OSError."""
        if self._unwritten and self.due_in() <= 0:
            self.flush()

    def due_in(self) -> float:
        """Seconds until `flush_if_due` may have something to do."""
        now = time.monotonic()
        earliest = self._tried_at + WRITE_INTERVAL
        if not self._unwritten:
            return earliest - now if now < self._written_at + OWN_WRITE else OWN_WRITE
        complete = max(self._heard_at + QUIET, earliest)
        return min(complete, max(self._unwritten_since, self._tried_at) + WRITE_INTERVAL) - now

    def flush(self) -> None:
        """Write down what has come, then show it: what was on a screen is in the log, however the process ends.

        Raises OSError.
        """
        with self._writing:
            records = _joined(self._unwritten)
            if not records:
                return
            self._tried_at = time.monotonic()
            self._replies.write(self.session_id, *records)
            self._unwritten.clear()
            self._written_at = time.monotonic()
            for record in records:
                self.view.take(record)
        if any("d" in record for record in records):
            self._spoken.set()
        self._changed(False)

    def _commit(self) -> None:
        """Move the finished answer into the transcript, then let go of the log. Raises OSError."""
        final = {"end": self._final_status()}
        with suppress(Exception):  # a backend that cannot say who it was is no reason to lose what it said
            final["model"] = self._ask.label
        if self.error and (not self._ending or isinstance(self.error, StorageError)):
            final |= {"error": str(self.error), "code": "ended" if isinstance(self.error, SessionEnded) else ""}
        with suppress(OSError):  # the log's end is a courtesy to its readers; the transcript is what counts
            self.flush()
            self._replies.write(self.session_id, final)
        with self._writing:
            for record in self._unwritten:  # what the log could not take may still go into the transcript
                self.view.take(record)
            self._unwritten.clear()
        self._spoken.set()
        self.view.take(final)
        commit(self.session_id, self.message, self.view, self._transcripts)
        self.is_saved = True
        self._replies.remove(self.session_id)

    def _final_status(self) -> str:
        if self._ending:
            return self._ending
        return "failed" if self.error else "complete"


def _joined(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same records with text that follows text as one, and the last alone of statuses in a row."""
    joined: list[dict[str, Any]] = []
    for record in records:
        if joined and record.keys() == joined[-1].keys() == {"d"}:
            joined[-1] = {"d": joined[-1]["d"] + record["d"]}
        elif joined and "s" in record and "s" in joined[-1]:
            joined[-1] = record
        else:
            joined.append(record)
    return joined


def _record(piece: Piece) -> dict[str, Any]:
    """The log's line for a piece; empty where there is nothing to write down."""
    if isinstance(piece, str):
        # Half a character, which no file can hold, becomes "?" here and not in one of its readers.
        return {"d": piece.encode("utf-8", "replace").decode()} if piece else {}
    if not isinstance(piece, Event):
        raise TypeError(f"a backend gave a {type(piece).__name__}, not text or an Event")
    if not isinstance(piece.text, str) or not isinstance(piece.progress, int | float | None):
        raise TypeError(f"a backend gave an Event of {piece.text!r:.50} and {piece.progress!r:.50}")
    if piece.kind == "status":
        return {"s": piece.text, "p": piece.progress}
    key = {"reasoning": "r", "note": "n", "tool": "n"}.get(piece.kind)
    return {key: piece.text} if key else {}


def _fitting(record: dict[str, Any], room: int) -> tuple[dict[str, Any], int]:
    """The record with as much of its text as has room, in bytes, and how many bytes its whole text has."""
    key = next(iter(record))
    text = record[key]
    size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    if size > room:
        record = {**record, key: text.encode("utf-8", "replace")[:room].decode("utf-8", "ignore")}
    return record, size


@contextmanager
def backend_errors() -> Iterator[None]:
    """Turn what a backend raises into our errors; the original is the cause, for the log only.

    A plain ValueError says that the session has ended; its subclasses (a decoding error, say) end nobody's session.
    """
    try:
        yield
    except Exception as error:
        _raise_as_ours(error)


def _raise_as_ours(error: Exception) -> NoReturn:
    if type(error) is ValueError:
        raise SessionEnded from error
    if isinstance(error, RuntimeError | OSError) and not isinstance(error, WebChatError):
        log.warning("the backend failed", exc_info=error)
        raise BackendUnavailable from error
    raise error


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
