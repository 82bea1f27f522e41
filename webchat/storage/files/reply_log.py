"""The log of a reply in flight and the view that its readers share. Knows neither who writes nor who reads."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from webchat.chat.conversation import Status
from webchat.chat.message import FINAL, Message, extension, is_message_id, new_message_id
from webchat.chat.messages import Messages
from webchat.errors import SessionBusy, StorageError
from webchat.fileutil import LOCK_SUFFIX, Folder, Locked, Log, Release, jsonlines, quarantine
from webchat.storage.files.transcript import Transcripts, messages_in

SUFFIX = ".reply"
LOGS = "replies"
"""The logs' folder in that of the transcripts, which so changes only when transcripts come or go."""
COARSE_NS = 1_000_000_000
"""Nanoseconds within which a folder may have changed twice with one time."""
PROBE_PATIENCE = 1.0
"""Seconds that a writer waits for its lock: a reader's probe holds it for a moment."""
_TYPES: dict[str, Any] = dict.fromkeys(("d", "r", "n", "s", "end", "error", "code", "model"), str)
_TYPES |= {
    "parent": (str, type(None)),
    "key": (str, type(None)),
    "started_at": str,
    "extends": int,
    "p": (int, float, type(None)),
}


class ReplyView:
    """One reply as its log says so far, record by record; shared by all readers in this process."""

    def __init__(self, header: Mapping[str, Any] | None) -> None:
        """`header` is the log's first line, None where that is not to be read."""
        self.damaged = not is_message_id((header or {}).get("id"))
        """Whether some of the log was not understood."""
        header = self._understood(header)
        self.id: str = header["id"] if not self.damaged else ""
        self._header = header
        self.extends: int | None = header.get("extends")
        """Where the reply continues an answer: how often that one had been continued before."""
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._notes: list[str] = []
        self._model: str | None = header.get("model")
        self._end: Mapping[str, Any] = {}
        self.status: Status | None = None

    def take(self, line: Mapping[str, Any] | None) -> None:
        """Take in one record, None for a line that is not to be read."""
        record = self._understood(line)
        for key, pieces in (("d", self._text), ("r", self._reasoning), ("n", self._notes)):
            if key in record:
                pieces.append(record[key])
        if "s" in record:
            self.status = Status(record["s"], record.get("p"))
        elif record.keys() & {"d", "r", "end"}:
            self.status = None
        if "end" in record:
            self._end = record
            self._model = record.get("model") or self._model

    def _understood(self, record: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """What of a record is as we write it."""
        if record is None:
            self.damaged = True
            return {}
        known = {key: value for key, value in record.items() if isinstance(value, _TYPES.get(key, object))}
        if known.get("end", "failed") not in FINAL:
            del known["end"]
        self.damaged = self.damaged or len(known) < len(record)
        return known

    def message(self, *, alive: bool) -> Message:
        """The message as it stands; `alive` says whether anybody still writes it."""
        # First: a reader beside this one may take in the rest and the end between two lines.
        end = self._end
        text = "".join(self._text)
        going = "streaming" if text else "waiting"
        return Message(
            self.id,
            "assistant",
            text,
            status=end.get("end") or (going if alive else "interrupted"),
            parent=self._header.get("parent"),
            created_at=str(self._header.get("started_at", "")),
            model=self._model,
            reasoning="".join(self._reasoning),
            notes=tuple(self._notes),
            error=end.get("error"),
            code=end.get("code"),
            key=self._header.get("key"),
        )


@dataclass
class _Read:
    """A log as it was read. The lock is for one session: who waits for it needs what is being read."""

    reader: jsonlines.LineReader
    view: ReplyView | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def on(self) -> ReplyView | None:
        """The view with what is new in the log. Raises OSError."""
        new = self.reader.read_on()
        view = None if new.afresh else self.view
        for _, record in new.lines:
            if view is None:
                view = ReplyView(record)
            else:
                view.take(record)
        self.view = view
        return view


class Replies:
    """The logs of the replies in flight, `<session>.reply` each, at most one for a session."""

    def __init__(self, folder: Folder) -> None:
        """`folder` is that of the transcripts, in which the locks lie; the logs have a folder of their own in it."""
        self.folder, self.logs = folder, folder.sub(LOGS)
        self._guard = threading.Lock()
        """Of the table of views; nothing is read while it is held."""
        self._views: dict[str, _Read] = {}
        self._begun: dict[str, Log] = {}
        self._found: tuple[object, list[str]] = None, []
        """The sessions that have a log, and the stamp of their folder."""

    def lock(self, session_id: str) -> Release:
        """Take the right to write in this session, across processes. Raises SessionBusy, StorageError."""
        try:
            return self.folder.lock(session_id, PROBE_PATIENCE)
        except Locked as error:
            raise SessionBusy from error
        except OSError as error:
            raise StorageError("The message could not be saved", error) from error

    def is_alive(self, session_id: str) -> bool:
        """Whether somebody, in any process, writes in this session."""
        return self.folder.is_locked(session_id)

    def stamp(self, session_id: str) -> object:
        return self.logs.stamp(_file(session_id))

    def begin(self, session_id: str, header: Mapping[str, Any]) -> None:
        """Start the log, in one step. The caller holds the lock until it has removed or left the log."""
        self.logs.remove(_stop_file(session_id))
        self._begun[session_id] = self.logs.begin(_file(session_id), jsonlines.dump(header) + b"\n")

    def write(self, session_id: str, *records: Mapping[str, Any]) -> None:
        """Add to the log that was begun here."""
        self._begun[session_id].append_line(b"\n".join(map(jsonlines.dump, records)))

    def leave(self, session_id: str) -> None:
        """Write no more in this log; whoever holds the lock next settles it."""
        begun = self._begun.pop(session_id, None)
        if begun:
            begun.close()

    def remove(self, session_id: str) -> None:
        self.leave(session_id)
        self.logs.remove(_file(session_id))
        self.logs.remove(_stop_file(session_id))
        with self._guard:
            self._views.pop(session_id, None)

    def is_understood(self, session_id: str) -> bool:
        """Whether the view of the log, which was just read, has all that is in it."""
        read, stamp = self._views.get(session_id), self.logs.stamp(_file(session_id))
        if stamp is None:
            return True
        return read is not None and read.reader.end == stamp.size and not (read.view is None or read.view.damaged)

    def forget(self, session_id: str) -> None:
        """Remove the lock of a session that is gone; nobody will ask for it again. Raises OSError."""
        self.folder.remove(session_id + LOCK_SUFFIX)

    def remove_copies(self, session_ids: Collection[str]) -> None:
        """Remove what was kept aside of damaged logs in these sessions, which are gone. Raises OSError."""
        gone = {*session_ids}
        for folder in (self.logs, self.folder):  # where earlier versions kept them
            for name in folder.names():
                session_id, kept_aside, _ = name.partition(".reply.corrupt-")
                if kept_aside and session_id in gone:
                    folder.remove(name)

    def ask_to_stop(self, session_id: str) -> None:
        """Leave word for the process that writes in this session."""
        self.logs.replace(_stop_file(session_id), b"")

    def is_asked_to_stop(self, session_id: str) -> bool:
        return self.logs.stamp(_stop_file(session_id)) is not None

    def sessions(self) -> list[str]:
        """The sessions that have such a log. Raises OSError."""
        stamp = self.logs.stamp(".")
        before, found = self._found
        if stamp is None or stamp != before:
            found = [name.removesuffix(SUFFIX) for name in self.logs.names() if name.endswith(SUFFIX)]
            # What changes within the resolution of the folder's time would not show.
            is_old = stamp is not None and time.time_ns() - stamp.modified_ns > COARSE_NS
            self._found = stamp if is_old else None, found
        return found

    def take_in_older(self) -> None:
        """Move logs that earlier versions left beside the transcripts to where they belong. Raises OSError."""
        for name in self.folder.names():
            if not name.endswith(SUFFIX):
                continue
            with suppress(SessionBusy):  # it is being written still
                release = self.lock(name.removesuffix(SUFFIX))
                try:
                    self.logs.replace(name, self.folder.read(name) or b"")
                    self.folder.remove(name)
                finally:
                    release()

    def view(self, session_id: str) -> ReplyView | None:
        """The reply in flight, up to date, or None. Only what is new is read."""
        if self.logs.stamp(_file(session_id)) is None:
            with self._guard:
                self._views.pop(session_id, None)
            return None
        with self._guard:
            read = self._views.get(session_id)
            if read is None:
                read = self._views[session_id] = _Read(jsonlines.LineReader(self.logs, _file(session_id)))
        with read.lock:
            return read.on()


def settle(session_id: str, replies: Replies, transcripts: Transcripts, unsaved: ReplyView | None = None) -> None:
    """Commit what a dead writer left behind, once. The caller holds the lock. Raises OSError.

    `unsaved` is what this process knows of an answer that found no room. A log of which not all was understood is
    first copied to `<name>.corrupt-<time>`.
    """
    afresh = Replies(replies.folder)  # what is decided here cannot be taken back
    view = afresh.view(session_id)
    if unsaved and (view is None or view.id == unsaved.id):
        view = unsaved
    if not afresh.is_understood(session_id):
        quarantine(replies.logs, _file(session_id))
    shown = transcripts.read(session_id)
    if view is not None and not is_committed(view, shown.messages):
        left = _left(view, shown.messages)
        commit(session_id, replace(left, error=None) if view is unsaved else left, view, transcripts)
    replies.remove(session_id)


def whole(session_id: str, replies: Replies, transcripts: Transcripts) -> bytes:
    """The transcript as it will be when the answer in flight, or left behind, is in it as it is now. Raises OSError."""
    view = replies.view(session_id)
    data = transcripts.raw(session_id)
    messages = Messages(messages_in(data) if view else ())
    if view is None or is_committed(view, messages):
        return data
    message = _left(view, messages)
    record = message.record() if view.extends is None else extension(message)
    return data + (b"\n" if data and not data.endswith(b"\n") else b"") + jsonlines.dump(record) + b"\n"


def _left(view: ReplyView, messages: Sequence[Message]) -> Message:
    """What the log has of its answer, as the transcript keeps it behind these messages."""
    message = view.message(alive=False)
    # Where the log's header is damaged the answer still follows what it is shown behind.
    parent = message.parent or (messages[-1].id if messages else None)
    return replace(message, id=message.id or new_message_id(), parent=parent)


def commit(session_id: str, message: Message, view: ReplyView, transcripts: Transcripts) -> None:
    """Write the reply into the transcript, as a message or as more of one. Raises OSError."""
    if view.extends is None:
        transcripts.append(session_id, message)
    else:
        transcripts.extend(session_id, message)


def is_committed(view: ReplyView, messages: Messages) -> bool:
    """Whether the transcript has the reply already."""
    place = messages.place(view.id)
    return place is not None and messages[place].extended > _before(view)


def _before(view: ReplyView) -> int:
    return -1 if view.extends is None else view.extends


def _file(session_id: str) -> str:
    return session_id + SUFFIX


def _stop_file(session_id: str) -> str:
    return f"{session_id}.stop"
