"""When something last happened in each session. Derived data: lost, it costs the list its exact order, no more."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from webchat import jsonlines
from webchat.fileutil import Folder, Stamp, locked

log = logging.getLogger(__name__)
COMPACT_ABOVE = 4 * 1024 * 1024
"""Bytes; a larger file is rewritten with one line for each session."""


class Activity:
    """An append-only log of {at, session, what}: a message's cost does not depend on how many sessions there are."""

    def __init__(self, folder: Folder, name: str, clock: Callable[[], str]) -> None:
        self._folder, self._name, self._clock = folder, name, clock
        self.rebuild: Callable[[], Mapping[str, str]] = dict
        """Gives each session's last time from elsewhere, where the log is lost."""
        self._guard = threading.Lock()
        self._latest: dict[str, str] = {}
        self._stamp: Stamp | None = None
        self._offset = 0
        self._compact_above = COMPACT_ABOVE

    def note(self, session_id: str, what: str) -> None:
        """Write down that `what` ("message", "reply", "list") happened now. Raises OSError."""
        if self.stamp() is None:
            self._rewrite()
        line = jsonlines.dump({"at": self._clock(), "session": session_id, "what": what})
        size = self._folder.append_line(self._name, line, sync=False)
        if size > self._compact_above:
            self._rewrite()

    def stamp(self) -> Stamp | None:
        """Changes whenever anything is noted, in this process or another."""
        return self._folder.stamp(self._name)

    def latest(self) -> Mapping[str, str]:
        """Each session's last time, ISO 8601 in UTC. Reads what is new only."""
        with self._guard:
            stamp = self.stamp()
            if stamp != self._stamp:
                self._read(stamp)
            return self._latest

    def _read(self, stamp: Stamp | None) -> None:
        grown = stamp and self._stamp and stamp.identity == self._stamp.identity and stamp.size >= self._offset
        latest, offset = (dict(self._latest), self._offset) if grown else ({}, 0)
        try:
            data = self._folder.read(self._name, offset)
        except OSError:
            log.warning("the order of the sessions could not be read", exc_info=True)
            data = None
        if data is None:
            latest = dict(self.rebuild())
        self._offset = offset
        for end, record in jsonlines.parse(data or b""):
            if record and isinstance(record.get("session"), str) and isinstance(record.get("at"), str):
                latest[record["session"]] = max(record["at"], latest.get(record["session"], ""))
            self._offset = offset + end
        self._latest, self._stamp = latest, stamp

    def _rewrite(self) -> None:
        """One line for each session: after a loss, or when the log has grown long."""
        with locked(self._folder, self._name):
            rows = [jsonlines.dump({"at": at, "session": session}) for session, at in self.latest().items()]
            data = b"".join(row + b"\n" for row in rows)
            self._folder.replace(self._name, data)
            self._compact_above = max(COMPACT_ABOVE, 2 * len(data))
