"""The logs of replies in flight, in files. Knows neither writer nor reader."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from webchat.chat.message import Message
from webchat.chat.messages import Messages
from webchat.chat.reply import ReplyView, left_behind, left_record
from webchat.errors import SessionBusy
from webchat.fileutil import Folder, Log, jsonlines, quarantine
from webchat.storage.files.leases import FileLeases
from webchat.storage.files.names import SessionNames
from webchat.storage.files.transcripts import FileTranscripts, messages_in

log = logging.getLogger(__name__)
SUFFIX, REQUESTS = ".reply", ".requests"
LOGS = "replies"
"""The logs' folder, below that of the transcripts, whose modification time then changes for transcripts only."""


@dataclass
class _Read:
    """A log as last read. The lock is per session: whoever waits for it needs what is being read."""

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


class FileReplyLogs:
    """See `webchat.storage.protocols.ReplyLogs`. The files are `<session>.reply`, in a folder of their own."""

    shares_writes = False

    def __init__(self, folder: Folder, transcripts: FileTranscripts, leases: FileLeases) -> None:
        """`folder` is that of the transcripts."""
        self._transcripts, self._leases = transcripts, leases
        self.folder, self.logs = folder, folder.sub(LOGS)
        self._guard = threading.Lock()
        """Guards the table of views; no file is read while it is held."""
        self._views: dict[str, _Read] = {}
        self._names, self._asked = SessionNames(self.logs, SUFFIX), SessionNames(self.logs, REQUESTS)
        self.begun: set[str] = set()
        """The sessions whose logs this process writes."""

    def begin(self, session_id: str, header: Mapping[str, Any]) -> FileReplyLog:
        self.logs.remove(_request_file(session_id))
        try:
            opened = self.logs.begin(_file(session_id), jsonlines.dump(header) + b"\n")
        except OSError:
            with suppress(OSError):  # it may have been created although opening failed, and would count as an answer
                self.logs.remove(_file(session_id))
            raise
        self.begun.add(session_id)
        return FileReplyLog(self, session_id, opened, self._transcripts)

    def view(self, session_id: str) -> ReplyView | None:
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

    def sessions(self) -> list[str]:
        return self._names.read()

    def request(self, session_id: str, request: Mapping[str, Any]) -> None:
        self.logs.append_line(_request_file(session_id), jsonlines.dump(request), sync=False)

    def requests(self, session_id: str) -> list[Mapping[str, Any]]:
        name = _request_file(session_id)
        data = self.logs.read(name) if self.logs.stamp(name) is not None else None
        return [record for _, record in jsonlines.parse(data or b"") if record is not None]

    def asked(self, session_ids: Collection[str]) -> Collection[str]:
        """Reads only the names in the folder, and only if they have changed."""
        return {*self._asked.read()}.intersection(session_ids)

    def settle(self, session_id: str, unsaved: ReplyView | None = None) -> None:
        """A log with lines that cannot be parsed is first copied to `<name>.corrupt-<time>`."""
        # Read from its beginning: this step is final.
        afresh = FileReplyLogs(self.folder, self._transcripts, self._leases)
        view = afresh.view(session_id)
        if not afresh._is_understood(session_id):
            quarantine(self.logs, _file(session_id))
        left = left_behind(view, unsaved, self._transcripts.read(session_id).messages)
        if left:
            self._transcripts.add_reply(session_id, left[0], extends=left[1])
        self.remove(session_id)

    def version(self, session_id: str) -> object:
        return self.logs.stamp(_file(session_id))

    def remove(self, session_id: str) -> None:
        """Remove the log and the requests to its writer. Raises OSError."""
        self.logs.remove(_file(session_id), _request_file(session_id))
        with self._guard:
            self._views.pop(session_id, None)

    def remove_copies(self, session_ids: Collection[str]) -> None:
        """Remove the copies of damaged logs of these deleted sessions. Raises OSError."""
        gone = {*session_ids}
        for folder in (self.logs, self.folder):  # the latter is from earlier versions
            for name in folder.names():
                session_id, kept_aside, _ = name.partition(".reply.corrupt-")
                if kept_aside and session_id in gone:
                    folder.remove(name)

    def take_in_older(self) -> None:
        """Move logs of earlier versions from beside the transcripts to their folder. Raises OSError.

        Requests to the writers of those versions are removed.
        """
        for name in self.logs.names():
            if name.endswith(".stop"):
                self.logs.remove(name)
        for name in self.folder.names():
            if not name.endswith(SUFFIX):
                continue
            with suppress(SessionBusy):  # it is still being written
                release = self._leases.acquire(name.removesuffix(SUFFIX))
                try:
                    self.logs.replace(name, self.folder.read(name) or b"")
                    self.folder.remove(name)
                finally:
                    release()

    def whole(self, session_id: str) -> bytes:
        """The transcript with the answer in flight, or left behind, as it is now."""
        view = self.view(session_id)
        data = self._transcripts.raw(session_id)
        left = left_record(view, Messages(messages_in(data) if view else ()))
        return data if left is None else jsonlines.followed_by(data, left)

    def _is_understood(self, session_id: str) -> bool:
        """Whether the view, which was just read, has the whole log."""
        read, stamp = self._views.get(session_id), self.logs.stamp(_file(session_id))
        if stamp is None:
            return True
        return read is not None and read.reader.end == stamp.size and not (read.view is None or read.view.damaged)


class FileReplyLog:
    """See `webchat.storage.protocols.ReplyLog`."""

    def __init__(self, logs: FileReplyLogs, session_id: str, log: Log, transcripts: FileTranscripts) -> None:
        self._logs, self._session_id, self._log, self._transcripts = logs, session_id, log, transcripts

    def write(self, *records: Mapping[str, Any]) -> None:
        self._log.append_line(b"\n".join(map(jsonlines.dump, records)))

    def commit(self, message: Message, *, extends: bool) -> None:
        # In this order: a reader that finds both recognises by the message's id that the log is committed.
        self._transcripts.add_reply(self._session_id, message, extends=extends)
        try:
            self.discard()
        except OSError:  # the next settling removes it
            log.warning("the log of a reply that is saved could not be removed", exc_info=True)

    def discard(self) -> None:
        self.leave()
        self._logs.remove(self._session_id)

    def leave(self) -> None:
        self._logs.begun.discard(self._session_id)
        self._log.close()


def _file(session_id: str) -> str:
    return session_id + SUFFIX


def _request_file(session_id: str) -> str:
    return session_id + REQUESTS
