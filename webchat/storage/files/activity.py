"""When something last happened in each session. Derived data: if lost, the list loses only its exact order."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

from webchat.chat.times import seconds_of
from webchat.fileutil import Folder, Stamp, jsonlines, locked
from webchat.storage.table import Moment

log = logging.getLogger(__name__)
REWRITE_PATIENCE = 1.0
"""Seconds that a message waits at most for a rewrite of the log."""
COMPACT_ABOVE = 4 * 1024 * 1024
"""Bytes; a larger file is rewritten with one line for each session."""


class Activity:
    """An append-only log of {at, session, what}: a message's cost does not depend on how many sessions there are."""

    def __init__(
        self,
        folder: Folder,
        name: str,
        rebuild: Callable[[], Mapping[str, str]] = dict,
        compact_above: int = COMPACT_ABOVE,
    ) -> None:
        """`rebuild` gives each session's last time from elsewhere, if the log is lost."""
        self._folder, self._name, self._rebuild = folder, name, rebuild
        self._guard = threading.RLock()
        self._latest: dict[str, Moment] = {}
        self._moved: list[str] = []
        """The sessions with activity since the log was read from its beginning, in order."""
        self.generation = 0
        """How often the log was read from its beginning."""
        self._newest, self._count = float("-inf"), 0
        self._reader = jsonlines.LineReader(folder, name)
        self._least_compacted = self._compact_above = compact_above

    def note_all(self, times: Mapping[str, str], what: str) -> None:
        """Note when `what` happened in each of these sessions.

        An "import" keeps its own times, everything else is later than what was noted before.
        """
        lines = [jsonlines.dump({"at": at, "session": session_id, "what": what}) for session_id, at in times.items()]
        if not lines:
            return
        try:
            if self.stamp() is None:
                self.rewrite()
            line = b"\n".join(lines)
            written = self._folder.append_line(self._name, line, sync=False)
            with self._guard:
                self._take(self._reader.take_own(line, written))
            if written.after.size > self._compact_above:
                self.rewrite()
        except OSError:
            log.warning("the order of the sessions could not be recorded", exc_info=True)

    def stamp(self) -> Stamp | None:
        """Changes whenever anything is noted, in this process or another."""
        try:
            return self._folder.stamp(self._name)
        except OSError:
            return None

    def read_on(self) -> None:
        """Read new lines."""
        with self._guard:
            try:
                new = self._reader.read_on()
            except OSError:
                log.warning("the order of the sessions could not be read", exc_info=True)
                new = jsonlines.NewLines(True, [])
            if new.afresh:
                self._newest, self._count = float("-inf"), 0
                self._latest = {} if new.lines else self._rebuilt()
                self._moved = []
                self.generation += 1
            self._take(new.lines)

    def latest(self, session_id: str) -> Moment | None:
        """When something last happened in the session, as far as it has been noted."""
        self.read_on()
        return self._latest.get(session_id)

    def latest_known(self, session_id: str) -> Moment | None:
        """The same, without reading new lines."""
        return self._latest.get(session_id)

    def moved(self, generation: int, since: int) -> tuple[Sequence[str], int]:
        """The sessions in which something happened after the first `since`, and how many there are now.

        In another generation than `generation` all have.
        """
        with self._guard:
            self.read_on()
            return (self._moved[since:] if generation == self.generation else (), len(self._moved))

    @property
    def newest(self) -> float:
        """The latest noted time, in seconds since 1970, without imports."""
        with self._guard:
            self.read_on()
            if self._newest > float("-inf"):
                return self._newest
            moments = [moment.seconds for moment in self._latest.values() if not moment.imported]
            return max(moments, default=float("-inf"))

    def _take(self, lines: Iterable[tuple[int, jsonlines.Record | None]]) -> None:
        for _, record in lines:
            session, at = (record or {}).get("session"), (record or {}).get("at")
            if not isinstance(session, str) or not isinstance(at, str):
                continue
            self._count += 1
            moment = Moment(seconds_of(at), self._count, at, bool(record and record.get("what") == "import"))
            if not moment.imported:
                self._newest = max(self._newest, moment.seconds)
                moment = moment._replace(seconds=self._newest)
            before = self._latest.get(session)
            self._latest[session] = max(before, moment) if before else moment
            self._moved.append(session)

    def _rebuilt(self) -> dict[str, Moment]:
        return {session: Moment(seconds_of(at), 0, at) for session, at in self._rebuild().items()}

    def rewrite(self) -> None:
        """Rewrite the log with one line for each session: when it was lost, damaged or too long. Raises OSError."""
        with locked(self._folder, self._name, REWRITE_PATIENCE):
            self.read_on()
            in_order = sorted(self._latest.items(), key=lambda item: item[1])
            data = jsonlines.dump_all(
                {"at": moment.at, "session": session} | ({"what": "import"} if moment.imported else {})
                for session, moment in in_order
            )
            self._folder.replace(self._name, data)
            self._compact_above = max(self._least_compacted, 2 * len(data))
