"""When something last happened in each session. Derived data: lost, it costs the list its exact order, no more."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from webchat.chat.times import seconds_of
from webchat.fileutil import Folder, Stamp, jsonlines, locked

log = logging.getLogger(__name__)
REWRITE_PATIENCE = 1.0
"""Seconds: a message waits for the order of the list no longer than that."""
COMPACT_ABOVE = 4 * 1024 * 1024
"""Bytes; a larger file is rewritten with one line for each session."""


class Moment(NamedTuple):
    """When something last happened in a session. These compare as what happened did, whatever the clock said.

    `seconds` is the time, but never before that of anything noted earlier: a clock may be set back. `number` counts
    what was noted; `at` is what the clock said, ISO 8601 in UTC. `imported`: an import says so, and no clock here.
    """

    seconds: float
    number: int
    at: str
    imported: bool = False


class Activity:
    """An append-only log of {at, session, what}: a message's cost does not depend on how many sessions there are."""

    def __init__(self, folder: Folder, name: str, clock: Callable[[], str]) -> None:
        self._folder, self._name, self._clock = folder, name, clock
        self.rebuild: Callable[[], Mapping[str, str]] = dict
        """Gives each session's last time from elsewhere, where the log is lost."""
        self._guard = threading.Lock()
        self._latest: dict[str, Moment] = {}
        self._newest, self._count = float("-inf"), 0
        self._reader = jsonlines.LineReader(folder, name)
        self._compact_above = COMPACT_ABOVE

    def note(self, session_id: str, what: str, at: str | None = None) -> None:
        """Write down that `what` happened, now or `at` a time, ISO 8601 in UTC: "new", "resume", "message", "reply".

        What cannot be written is said in the log only.
        """
        self.note_all({session_id: at or self._clock()}, what)

    def note_all(self, times: Mapping[str, str], what: str) -> None:
        """Write down when it happened in each of these sessions.

        An "import" happened when it says, and all else after what was noted before.
        """
        lines = [jsonlines.dump({"at": at, "session": session_id, "what": what}) for session_id, at in times.items()]
        if not lines:
            return
        try:
            if self.stamp() is None:
                self.rewrite()
            if self._folder.append_line(self._name, b"\n".join(lines), sync=False) > self._compact_above:
                self.rewrite()
        except OSError:
            log.warning("the order of the sessions could not be noted", exc_info=True)

    def stamp(self) -> Stamp | None:
        """Changes whenever anything is noted, in this process or another."""
        try:
            return self._folder.stamp(self._name)
        except OSError:
            return None

    def latest(self) -> Mapping[str, Moment]:
        """When something last happened in each session. Reads what is new only."""
        with self._guard:
            try:
                new = self._reader.read_on()
            except OSError:
                log.warning("the order of the sessions could not be read", exc_info=True)
                new = jsonlines.NewLines(True, [])
            if new.afresh:
                self._newest, self._count = float("-inf"), 0
                self._latest = {} if new.lines else self._rebuilt()
            if new.lines:
                self._latest = {**self._latest, **self._moments(new.lines)}
            return self._latest

    @property
    def newest(self) -> float:
        """The newest moment that was noted, in seconds since 1970; imports do not count."""
        latest = self.latest()
        with self._guard:
            if self._newest > float("-inf"):
                return self._newest
        return max((moment.seconds for moment in latest.values() if not moment.imported), default=float("-inf"))

    def _moments(self, lines: Iterable[tuple[int, jsonlines.Record | None]]) -> dict[str, Moment]:
        moments: dict[str, Moment] = {}
        for _, record in lines:
            session, at = (record or {}).get("session"), (record or {}).get("at")
            if not isinstance(session, str) or not isinstance(at, str):
                continue
            self._count += 1
            moment = Moment(seconds_of(at), self._count, at, bool(record and record.get("what") == "import"))
            if not moment.imported:
                self._newest = max(self._newest, moment.seconds)
                moment = moment._replace(seconds=self._newest)
            before = moments.get(session) or self._latest.get(session)
            moments[session] = max(before, moment) if before else moment
        return moments

    def _rebuilt(self) -> dict[str, Moment]:
        return {session: Moment(seconds_of(at), 0, at) for session, at in self.rebuild().items()}

    def rewrite(self) -> None:
        """One line for each session: after a loss or a damage, or when the log has grown long. Raises OSError."""
        with locked(self._folder, self._name, REWRITE_PATIENCE):
            in_order = sorted(self.latest().items(), key=lambda item: item[1])
            data = jsonlines.dump_all(
                {"at": moment.at, "session": session} | ({"what": "import"} if moment.imported else {})
                for session, moment in in_order
            )
            self._folder.replace(self._name, data)
            self._compact_above = max(COMPACT_ABOVE, 2 * len(data))
