"""Collects a reply's pieces, writes them to its log, and only then shows them. Knows no backend."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from webchat.backends import Event, Piece
from webchat.chat.message import Message
from webchat.chat.part_records import changes_of, place_of, placed_of
from webchat.chat.parts import Permission
from webchat.chat.plain import shows_nothing
from webchat.chat.reply import ReplyView
from webchat.errors import BackendUnavailable
from webchat.replies.part_room import MAX_PARTS, PartRoom
from webchat.replies.records import STOPPING, fitting, joined, record_of, size_of
from webchat.replies.write_pace import ReplyTimes, WritePace
from webchat.storage.protocols import ReplyLog

MAX_ANSWER = 4 * 2**20
"""Bytes of one answer with its parts: as long as a book. A model that sends more is in an endless loop."""
TOO_LONG = (
    "The answer was cut off: it is longer than the {:.3g} MiB that one answer may have. Try again, or ask for less."
)


class ReplyRecorder:
    """The log of one reply, and its unwritten pieces. Safe to call from any thread."""

    def __init__(
        self,
        header: Mapping[str, Any],
        begin: Callable[[], ReplyLog],
        changed: Callable[[bool], None],
        times: ReplyTimes,
    ) -> None:
        """`begin` begins the log; `changed(urgent)` is called after each write."""
        self.view = ReplyView(header)
        self.spoken = threading.Event()
        """Set when the first text has been shown, or the reply has ended."""
        self._begin, self._changed = begin, changed
        self._log: ReplyLog | None = None
        self._room, self._part_room = MAX_ANSWER, PartRoom()
        self._lock = threading.Lock()
        """Guards the unwritten pieces and the log."""
        self._unwritten: list[dict[str, Any]] = []
        self._parts: dict[str, dict[str, Any]] = {}
        """Each part's record as last written, by its place."""
        self._new_parts: dict[str, dict[str, Any]] = {}
        """Records of parts that have changed since."""
        self._appeared: dict[str, float] = {}
        self._text_end = ""
        """The last characters of the text so far."""
        self._text_goes_on = True
        """Whether further text continues the last paragraph, since nothing else has come after it."""
        self.pace, self._times = WritePace(times), times
        self._heard_at = self._silence_said_at = time.monotonic()
        self._doing: Mapping[str, Any] = {}
        """The backend's last status; empty once text has come since."""

    def begin(self) -> None:
        """Begin the log. Raises OSError."""
        self._log = self._begin()

    def _written(self) -> ReplyLog:
        assert self._log is not None, "nothing is written before `begin`"  # noqa: S101
        return self._log

    def take(self, piece: Piece) -> bool:
        """Take in a piece; returns whether it is time to `flush`.

        Raises BackendUnavailable if the answer is too long (what fits is kept), TypeError for an invalid piece.
        """
        record = record_of(piece)
        now = time.monotonic()
        if not record:
            return self._is_at_rest(piece, now)
        with self._lock:
            self._heard_at = self._silence_said_at = now
            self.pace.come(now, MAX_ANSWER - self._room + self._part_room.taken, is_first=not self._has_unwritten)
            is_urgent = self._place(record["part"], now) if "part" in record else self._append(record)
            is_too_long = self._room < 0 or self._part_room.is_exceeded
        if is_too_long:
            self.flush()
            raise BackendUnavailable(TOO_LONG.format((MAX_ANSWER if self._room < 0 else MAX_PARTS) / 2**20))
        return is_urgent or self.pace.is_own_turn(now)

    def _is_at_rest(self, piece: Piece, now: float) -> bool:
        """Whether the backend reports a pause, and the last write was long enough ago."""
        if not (isinstance(piece, Event) and piece.kind == "rest"):
            return False
        return self.pace.rest(now) and self._has_unwritten

    def _append(self, record: dict[str, Any]) -> bool:
        size = size_of(record)
        if size > self._room:
            record = fitting(record, self._room)
        self._room -= size
        if "d" in record:
            record = self._continued(record)
        elif "u" in record:
            self._text_end = ""
        elif "r" in record and self._appeared:
            self._text_goes_on = False
        self._doing = record if "s" in record else {}
        self._unwritten.append(record)
        return False

    def _continued(self, record: dict[str, Any]) -> dict[str, Any]:
        """The text, preceded by a paragraph break if it does not continue the text before it."""
        if not self._text_goes_on and self._text_end:
            missing = 2 - (len(self._text_end) - len(self._text_end.rstrip("\n")))
            record = {**record, "d": "\n" * missing + record["d"]}
        self._text_goes_on, self._text_end = True, (self._text_end + record["d"])[-2:]
        return record

    def _place(self, record: dict[str, Any], now: float) -> bool:
        """Take in a part. Returns whether it should be shown at once."""
        place = place_of(record)
        before = self._latest(place)
        if before.get("status") == "answered":  # chosen by the person: a backend must not undo that
            return False
        is_new = place not in self._appeared
        kept = self._part_room.fitted(place, record, self._latest)
        if self._part_room.is_exceeded:
            return True
        record = kept.pop(place)
        self._new_parts |= kept
        self._doing = {}
        began = self._appeared.setdefault(place, now)
        if record["type"] == "tool_call" and record["status"] in ("done", "failed") and record["seconds"] is None:
            record["seconds"] = before.get("seconds") or round(now - began, 3)
        if is_new:
            self._text_goes_on = self._text_goes_on and record["type"] == "usage"
            self._unwritten.append({"part": record})
            self._parts[place] = record
        elif record != before:
            self._new_parts[place] = record
        return bool(record["type"] == "permission")

    def _latest(self, place: str) -> dict[str, Any]:
        return self._new_parts.get(place) or self._parts.get(place) or {}

    def choose(self, permission_id: str, option_id: str, by: str) -> bool:
        """Note the answer to a question. Returns whether the question was open. Raises OSError; it then stays open."""
        place = f"permission {permission_id}"
        with self._lock:
            asked = placed_of(self._latest(place))
            if not isinstance(asked, Permission) or not asked.is_open or self.view.has_ended:
                return False
            answered = replace(asked, status="answered", choice=option_id, by=by or None).record()
            self._new_parts[place] = answered
            self._heard_at = self._silence_said_at = time.monotonic()
            try:
                records = self._write_down()
            except OSError:
                self._new_parts.pop(place, None)
                raise
        self._tell(records)
        return True

    @property
    def written_by(self) -> str:
        """The model that the backend has named as the writer, even if that is not written down yet."""
        with self._lock:
            named = (record["model"] for record in reversed(self._unwritten) if "model" in record)
            return next(named, self.view.written_by)

    @property
    def is_asking(self) -> bool:
        """Whether a question is open."""
        return bool(self.view.questions)

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to show yet except reasoning. Raises OSError."""
        with self._lock:
            if any("u" in record for record in self._unwritten):
                self._write_down()
            return self.view.is_blank and not any(map(_is_shown, self._waiting_records()))

    def note(self, text: str) -> None:
        """Add a note of our own."""
        with self._lock:
            self._unwritten.append({"n": text})

    def say_what_is_waited_for(self, *, is_stopping: bool) -> None:
        """Update the status, if necessary: the answer is being stopped, or the backend is silent."""
        now = time.monotonic()
        with self._lock:
            if is_stopping and self._doing != STOPPING:
                self._unwritten.append(dict(STOPPING))
                self._doing = STOPPING
            if self.is_asking:
                self._heard_at = now
            silent = now - self._heard_at
            if silent >= self._times.silence and now - self._silence_said_at >= self._times.silence_step:
                self._silence_said_at = now
                what = f"{self._doing['s']} ·" if self._doing else "No output from the model for"
                self._unwritten.append({"s": f"{what} {silent:.0f} s", "p": self._doing.get("p")})

    def flush_if_due(self) -> None:
        """Write the unwritten pieces if a burst is complete or has waited long enough. Raises OSError."""
        if self._has_unwritten and self.due_in() <= 0:
            self.flush()

    @property
    def _has_unwritten(self) -> bool:
        return bool(self._unwritten or self._new_parts)

    def due_in(self) -> float:
        """Seconds until `flush_if_due` may have something to do."""
        return self.pace.due_in(has_unwritten=self._has_unwritten)

    def flush(self) -> None:
        """Write the unwritten pieces, then show them: what was on a screen is in the log, even after a crash.

        Raises OSError.
        """
        with self._lock:
            records = self._write_down()
        self._tell(records)

    def _write_down(self, *final: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Write and show the unwritten pieces, unless the reply has ended; returns their records.

        The `final` record is written with them. Called with the lock held.
        """
        records = [] if self.view.has_ended else self._waiting_records()
        if records or final:
            self.pace.begin(time.monotonic())
            self._written().write(*records, *final)
            self.pace.end(time.monotonic())
            self._show(records)
        return records

    def _tell(self, records: list[dict[str, Any]]) -> None:
        if any("d" in record for record in records):
            self.spoken.set()
        if records:
            self._changed(any("part" in record for record in records) and self.is_asking)

    def _waiting_records(self) -> list[dict[str, Any]]:
        changed = [{"part": changes_of(self._parts[place], record)} for place, record in self._new_parts.items()]
        return joined(self._unwritten) + changed

    def _show(self, records: list[dict[str, Any]]) -> None:
        self._parts |= self._new_parts
        self._new_parts.clear()
        self._unwritten.clear()
        for record in records:
            self.view.take(record)

    def end(self, final: Mapping[str, Any]) -> None:
        """Write the last record, if the log can be written, and show the ended reply."""
        with self._lock:
            try:
                records = self._write_down(final)
            except OSError:  # the log's last record is only for its readers; the transcript is what counts
                records = self._waiting_records()  # the transcript may still be writable
                self._show(records)
            self.view.take(final)
        self.spoken.set()
        self._tell(records)

    def commit(self, message: Message) -> None:
        """Move the reply into the transcript, and remove the log. Raises OSError."""
        self._written().commit(message, extends=self.view.extends is not None)

    def discard(self) -> None:
        """Remove the log, if it was begun. Raises OSError."""
        if self._log:
            self._log.discard()

    def leave(self) -> None:
        """Stop writing."""
        if self._log:
            self._log.leave()


def _is_shown(record: Mapping[str, Any]) -> bool:
    """Whether the record has content to show besides reasoning."""
    is_part = "part" in record and record["part"]["type"] != "usage"
    return is_part or "n" in record or not shows_nothing(record.get("d", ""))
