"""When something last happened in each session. Derived data: lost, it costs the list its exact order, no more."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping

from webchat import jsonlines
from webchat.fileutil import Folder, Stamp, locked

log = logging.getLogger(__name__)
REWRITE_PATIENCE = 1.0
"""Seconds: a message waits for the order of the list no longer than that."""
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
        self._reader = jsonlines.LineReader(folder, name)
        self._compact_above = COMPACT_ABOVE

    def note(self, session_id: str, what: str, at: str | None = None) -> None:
        """Write down that `what` ("message", "reply", "import") happened, now or `at` a time, ISO 8601 in UTC.

        What cannot be written is said in the log only.
        """
        try:
            if self.stamp() is None:
                self._rewrite()
            line = jsonlines.dump({"at": at or self._clock(), "session": session_id, "what": what})
            if self._folder.append_line(self._name, line, sync=False) > self._compact_above:
                self._rewrite()
        except OSError:
            log.warning("the order of the sessions could not be noted", exc_info=True)

    def stamp(self) -> Stamp | None:
        """Changes whenever anything is noted, in this process or another."""
        try:
            return self._folder.stamp(self._name)
        except OSError:
            return None

    def latest(self) -> Mapping[str, str]:
        """Each session's last time, ISO 8601 in UTC. Reads what is new only."""
        with self._guard:
            try:
                new = self._reader.read_on()
            except OSError:
                log.warning("the order of the sessions could not be read", exc_info=True)
                new = jsonlines.NewLines(True, [])
            if new.afresh:
                self._latest = {} if new.lines else dict(self.rebuild())
            if new.lines:
                self._latest = {**self._latest, **_times(new.lines, self._latest)}
            return self._latest

    def _rewrite(self) -> None:
        """One line for each session: after a loss, or when the log has grown long."""
        with locked(self._folder, self._name, REWRITE_PATIENCE):
            rows = [jsonlines.dump({"at": at, "session": session}) for session, at in self.latest().items()]
            data = b"".join(row + b"\n" for row in rows)
            self._folder.replace(self._name, data)
            self._compact_above = max(COMPACT_ABOVE, 2 * len(data))


def _times(lines: Iterable[tuple[int, jsonlines.Record | None]], known: Mapping[str, str]) -> dict[str, str]:
    times: dict[str, str] = {}
    for _, record in lines:
        if record and isinstance(record.get("session"), str) and isinstance(record.get("at"), str):
            session = record["session"]
            times[session] = max(record["at"], times.get(session) or known.get(session, ""))
    return times
