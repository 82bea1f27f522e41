"""A reply in flight: its log on disk, the one thread that writes it, and the view that all its readers share.

Knows neither who answers nor who reads.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from webchat import jsonlines
from webchat.backends import Event, Piece
from webchat.errors import (
    BackendUnavailable,
    ReplyFailed,
    SessionBusy,
    SessionEnded,
    SessionUnknown,
    StorageError,
    WebChatError,
)
from webchat.fileutil import Folder, Locked, Release, Stamp
from webchat.transcript import Message, Transcripts

log = logging.getLogger(__name__)
PROBE_PATIENCE = 1.0
"""Seconds that a writer waits for its lock: a reader's probe holds it for a moment."""
_END: Any = object()


@dataclass(frozen=True)
class Status:
    """What is being done before or between pieces of text; `progress` from 0 to 1 where it is known."""

    text: str
    progress: float | None = None


class ReplyView:
    """One reply as its log says so far. Grows with `feed`; shared by all readers in this process."""

    def __init__(self, header: Mapping[str, Any]) -> None:
        self.id = str(header.get("id", ""))
        self._header = header
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._notes: list[str] = []
        self._model = header.get("model")
        self._end: Mapping[str, Any] = {}
        self.status: Status | None = None
        self.first_line = b""
        """The log's header as it stands there, which no other log has."""
        self.size = 0
        """Bytes of the log that this view has taken in; differs whenever anything has changed."""

    def feed(self, data: bytes) -> None:
        """Take in the log's next bytes, which start at offset `size`."""
        end = 0
        for end, record in jsonlines.parse(data):  # noqa: B007  (used after the loop)
            if record:
                self.take(record)
        self.size += end

    def take(self, record: Mapping[str, Any]) -> None:
        """Take in one record."""
        for key, pieces in (("d", self._text), ("r", self._reasoning), ("n", self._notes)):
            if isinstance(record.get(key), str):
                pieces.append(record[key])
        if isinstance(record.get("s"), str):
            self.status = Status(record["s"], record.get("p"))
        elif "d" in record or "end" in record:
            self.status = None
        if "end" in record:
            self._end = record
            self._model = record.get("model") or self._model

    def message(self, *, alive: bool) -> Message:
        """The message as it stands; `alive` says whether anybody still writes it."""
        text = "".join(self._text)
        going = "streaming" if text else "waiting"
        return Message(
            self.id,
            "assistant",
            text,
            status=self._end.get("end") or (going if alive else "interrupted"),
            parent=self._header.get("parent"),
            created_at=str(self._header.get("started_at", "")),
            model=self._model,
            reasoning="".join(self._reasoning),
            notes=tuple(self._notes),
            error=self._end.get("error"),
            code=self._end.get("code"),
        )


class Replies:
    """The logs of the replies in flight in one folder, `<session>.reply` each, at most one for a session."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._views: dict[str, tuple[Stamp, ReplyView]] = {}

    def lock(self, session_id: str) -> Release:
        """Take the right to write in this session, across processes. Raises SessionBusy, StorageError."""
        try:
            return self._folder.lock(session_id, PROBE_PATIENCE)
        except Locked as error:
            raise SessionBusy from error
        except OSError as error:
            raise StorageError("The message could not be saved", error) from error

    def is_alive(self, session_id: str) -> bool:
        """Whether somebody, in any process, writes in this session."""
        return self._folder.is_locked(session_id)

    def stamp(self, session_id: str) -> object:
        return self._folder.stamp(_file(session_id))

    def begin(self, session_id: str, header: dict[str, Any]) -> None:
        """Start the log, in one step. The caller holds the lock."""
        self._folder.replace(_file(session_id), jsonlines.dump(header) + b"\n")

    def write(self, session_id: str, record: dict[str, Any]) -> None:
        self._folder.append_line(_file(session_id), jsonlines.dump(record), sync=False)

    def remove(self, session_id: str) -> None:
        self._folder.remove(_file(session_id))

    def view(self, session_id: str) -> ReplyView | None:
        """The reply in flight, up to date, or None. Only what is new is read."""
        name = _file(session_id)
        with self._guard:
            stamp = self._folder.stamp(name)
            if stamp is None:
                self._views.pop(session_id, None)
                return None
            known, view = self._views.get(session_id, (None, None))
            if view is None or (stamp != known and not self._is_log_of(view, name, stamp)):
                view = self._open(name)
                if view is None:
                    return None
            elif stamp.size > view.size:
                view.feed(self._folder.read(name, view.size) or b"")
            self._views[session_id] = stamp, view
            return view

    def _is_log_of(self, view: ReplyView, name: str, stamp: Stamp) -> bool:
        # The next reply's log may get the inode that the last one's had: only the header tells them apart.
        return stamp.size >= view.size and self._folder.read(name, 0, len(view.first_line)) == view.first_line

    def _open(self, name: str) -> ReplyView | None:
        data = self._folder.read(name) or b""
        first = next(jsonlines.parse(data), None)
        if first is None:
            return None
        view = ReplyView(first[1] or {})
        view.size, view.first_line = first[0], data[: first[0]]
        view.feed(data[view.size :])
        return view


def settle(session_id: str, replies: Replies, transcripts: Transcripts) -> None:
    """Commit what a dead writer left behind, once. The caller holds the lock. Raises OSError."""
    view = replies.view(session_id)
    shown = transcripts.read(session_id)
    if view is not None and all(message.id != view.id for message in shown.messages):
        message = view.message(alive=False)
        # Where the log's header is damaged the answer still follows what it is shown behind.
        parent = message.parent or (shown.leaf.id if shown.leaf else None)
        transcripts.append(session_id, replace(message, parent=parent))
    replies.remove(session_id)


class Ask(Protocol):
    """Asks the backend; with `again` the session is taken up anew first, since the backend did not know it."""

    @property
    def label(self) -> str:
        """Which model answers, as far as is known."""

    def __call__(self, *, again: bool) -> Iterable[Piece]: ...


class ReplyRun:
    """The one thread that asks the backend and writes what comes. No request owns it: it outlives them all."""

    def __init__(
        self,
        session_id: str,
        header: Mapping[str, Any],
        ask: Ask,
        replies: Replies,
        transcripts: Transcripts,
        changed: Callable[[bool], None],
        done: Callable[[ReplyRun], None],
    ) -> None:
        """`changed(urgent)` is called after each piece, `done(self)` in the thread's end, before others may write."""
        self.session_id = session_id
        self.id = str(header["id"])
        self.error: WebChatError | None = None
        self._ask, self._replies, self._transcripts = ask, replies, transcripts
        self._changed, self._done = changed, done
        self._guard = threading.Lock()
        self._cancel: Callable[[], object] | None = None
        self._ending: str | None = None
        self._answered = threading.Event()
        self._finished = threading.Event()
        self._view = ReplyView(header)

    def start(self, release: Release) -> None:
        """Run in a thread of its own; `release` gives the session's lock back at the end."""
        name = f"reply-{self.session_id[:20]}"
        threading.Thread(target=self._run, args=(release,), name=name, daemon=True).start()

    def stop(self, status: str = "stopped") -> None:
        """End the answer now, at the backend too; what came is kept with this status."""
        with self._guard:
            self._ending = self._ending or status
            cancel, self._cancel = self._cancel, None
        if cancel:
            _quietly(cancel)

    @property
    def is_over(self) -> bool:
        """Whether nobody should be told to wait for the answer; gives its last step, the commit, time to end."""
        return self._answered.is_set() and self.wait(PROBE_PATIENCE)

    @property
    def message(self) -> Message:
        """The answer as it stands, with its final status after the end."""
        return self._view.message(alive=not self._finished.is_set())

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, in seconds; whether it has come. The next message is accepted then."""
        return self._finished.wait(timeout)

    def _run(self, release: Release) -> None:
        try:
            self._answer()
        except WebChatError as error:
            self.error = error
        except Exception as error:
            self.error = _unforeseen(error)
        self._answered.set()
        try:
            self._commit()
        except OSError as error:
            log.exception("the reply in session %s could not be saved", self.session_id)
            self.error = self.error or StorageError("The answer could not be saved", error)
        finally:
            self._let_go(release)

    def _let_go(self, release: Release) -> None:
        """Let others write in the session, whatever fails on the way: nobody else would."""
        try:
            self._done(self)
        except Exception:
            log.exception("the end of the reply in session %s could not be noted", self.session_id)
        finally:
            release()
            self._finished.set()
            self._changed(True)

    def _answer(self) -> None:
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
            with backend_errors():
                piece = next(iterator, _END)
            if piece is _END:
                return
            yield piece

    def _on_stop(self, cancel: Callable[[], object] | None) -> None:
        with self._guard:
            self._cancel = None if self._ending else cancel
        if self._ending and cancel:
            _quietly(cancel)

    def _write(self, piece: Piece) -> None:
        record = _record(piece)
        if not record:
            return
        try:
            self._replies.write(self.session_id, record)
        except OSError as error:
            self.stop("interrupted")
            raise StorageError("The answer could not be saved", error) from error
        self._view.take(record)
        self._changed(False)

    def _commit(self) -> None:
        """Move the finished answer into the transcript, then let go of the log. Raises OSError."""
        final = {"end": self._final_status()}
        with suppress(Exception):  # a backend that cannot say who it was is no reason to lose what it said
            final["model"] = self._ask.label
        if self.error and not self._ending:
            final |= {"error": str(self.error), "code": "ended" if isinstance(self.error, SessionEnded) else ""}
        with suppress(OSError):  # the log's end is a courtesy to its readers; the transcript is what counts
            self._replies.write(self.session_id, final)
        self._view.take(final)
        self._transcripts.append(self.session_id, self.message)
        self._replies.remove(self.session_id)

    def _final_status(self) -> str:
        if self._ending:
            return self._ending
        return "failed" if self.error else "complete"


def _record(piece: Piece) -> dict[str, Any]:
    """The log's line for a piece; empty where there is nothing to write down."""
    if isinstance(piece, str):
        return {"d": piece} if piece else {}
    if not isinstance(piece, Event):
        raise TypeError(f"a backend gave a {type(piece).__name__}, not text or an Event")
    if piece.kind == "status":
        return {"s": piece.text, "p": piece.progress}
    key = {"reasoning": "r", "note": "n", "tool": "n"}.get(piece.kind)
    return {key: piece.text} if key else {}


@contextmanager
def backend_errors() -> Iterator[None]:
    """Turn what a backend raises into our errors; the original is the cause, for the log only.

    A plain ValueError says that the session has ended; its subclasses (a decoding error, say) end nobody's session.
    """
    try:
        yield
    except WebChatError:
        raise
    except ValueError as error:
        if type(error) is not ValueError:
            raise
        raise SessionEnded from error
    except (RuntimeError, OSError) as error:
        log.warning("the backend failed", exc_info=error)
        raise BackendUnavailable from error


def _unforeseen(error: Exception) -> ReplyFailed:
    reference = secrets.token_hex(4)
    log.error("unforeseen, reference %s", reference, exc_info=error)
    return ReplyFailed(f"Something went wrong that nobody foresaw. The log has more under reference {reference}.")


def _quietly(call: Callable[[], object] | None) -> None:
    if call is None:
        return
    try:
        call()
    except Exception:
        log.warning("the backend failed while its answer was ended", exc_info=True)


def _file(session_id: str) -> str:
    return f"{session_id}.reply"
