"""The logs of replies in flight, in files. Knows neither who writes nor who reads."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from webchat.chat.message import Message, extension
from webchat.chat.messages import Messages
from webchat.chat.reply import ReplyView, is_committed, left_message
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
        self.logs.remove(_request_file(session_id))
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
        self.logs.remove(_request_file(session_id))
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

    def request(self, session_id: str, request: Mapping[str, Any]) -> None:
        """Leave word for whoever writes in this session. Raises OSError."""
        self.logs.append_line(_request_file(session_id), jsonlines.dump(request), sync=False)

    def requests(self, session_id: str) -> list[Mapping[str, Any]]:
        """What was requested of whoever writes in this session, in order. Raises OSError."""
        name = _request_file(session_id)
        data = self.logs.read(name) if self.logs.stamp(name) is not None else None
        return [record for _, record in jsonlines.parse(data or b"") if record is not None]

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
        left = left_message(view, shown.messages)
        commit(session_id, replace(left, error=None) if view is unsaved else left, view, transcripts)
    replies.remove(session_id)


def whole(session_id: str, replies: Replies, transcripts: Transcripts) -> bytes:
    """The transcript as it will be when the answer in flight, or left behind, is in it as it is now. Raises OSError."""
    view = replies.view(session_id)
    data = transcripts.raw(session_id)
    messages = Messages(messages_in(data) if view else ())
    if view is None or is_committed(view, messages):
        return data
    message = left_message(view, messages)
    record = message.record() if view.extends is None else extension(message)
    return data + (b"\n" if data and not data.endswith(b"\n") else b"") + jsonlines.dump(record) + b"\n"


def commit(session_id: str, message: Message, view: ReplyView, transcripts: Transcripts) -> None:
    """Write the reply into the transcript, as a message or as more of one. Raises OSError."""
    if view.extends is None:
        transcripts.append(session_id, message)
    else:
        transcripts.extend(session_id, message)


def _file(session_id: str) -> str:
    return session_id + SUFFIX


def _request_file(session_id: str) -> str:
    return f"{session_id}.requests"
