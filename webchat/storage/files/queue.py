"""The queued messages, in files. Knows no rule of the queue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from webchat.chat.queued import QueuedMessage, queued_of
from webchat.errors import TooBusy
from webchat.fileutil import LOCK_SUFFIX, Folder, Locked, Stamp, jsonlines, quarantine
from webchat.storage.files.names import SessionNames

SUFFIX = ".queue"
QUEUES = "queue"
"""The queues' folder, below that of the transcripts, whose modification time then changes for transcripts only."""
PATIENCE = 5.0
"""Seconds that a change waits for the lock: while a message is being sent, its queue is locked."""


class FileQueue:
    """See `webchat.storage.protocols.Queue`. The files are `<session>.queue`, JSON Lines, one line for each message."""

    def __init__(self, folder: Folder) -> None:
        """`folder` is that of the transcripts."""
        self.folder = folder.sub(QUEUES)
        self._names = SessionNames(self.folder, SUFFIX)

    def items(self, session_id: str) -> tuple[QueuedMessage, ...]:
        return tuple(item for item in self._read(session_id) if item)

    @contextmanager
    def _locked(self, session_id: str) -> Iterator[None]:
        try:
            release = self.folder.lock(session_id, PATIENCE)
        except Locked as error:  # too many clients send to this session at once
            raise TooBusy from error
        try:
            yield
        finally:
            release()

    @contextmanager
    def changing(self, session_id: str) -> Iterator[list[QueuedMessage]]:
        """A file with lines that cannot be parsed is first copied to `<name>.corrupt-<time>`."""
        with self._locked(session_id):
            found = self._read(session_id)
            before = [item for item in found if item]
            items = [*before]
            yield items
            if items == before:
                return
            if len(before) < len(found):
                quarantine(self.folder, _file(session_id))
            if items:
                self.folder.replace(_file(session_id), jsonlines.dump_all(item.record() for item in items))
            else:
                self.folder.remove(_file(session_id))

    def sessions(self) -> list[str]:
        return self._names.read()

    def version(self, session_id: str) -> Stamp | None:
        return self.folder.stamp(_file(session_id))

    def states(self) -> dict[str, object]:
        """The version of each queue."""
        return {session_id: self.version(session_id) for session_id in self.sessions()}

    def size(self, session_id: str) -> int:
        """Bytes of the queue's file."""
        stamp = self.version(session_id)
        return stamp.size if stamp else 0

    def remove(self, session_id: str) -> None:
        """Remove the queue of a deleted session, and copies of damaged ones. Raises OSError."""
        for name in self.folder.names():
            if name == _file(session_id) or name.startswith(f"{_file(session_id)}.corrupt-"):
                self.folder.remove(name)
        self.folder.remove(session_id + LOCK_SUFFIX)

    def _read(self, session_id: str) -> list[QueuedMessage | None]:
        """Each line's message; None for a line that cannot be parsed."""
        data = self.folder.read(_file(session_id)) if self.version(session_id) is not None else None
        return [queued_of(record) if record else None for _, record in jsonlines.parse(data or b"")]


def _file(session_id: str) -> str:
    return session_id + SUFFIX
