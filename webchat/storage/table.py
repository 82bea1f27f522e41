"""Sessions' records as one table that is read whole, and when something last happened in each. Knows no file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

from webchat.chat.session import Row, WebChatSession, session_of
from webchat.chat.times import seconds_of
from webchat.errors import InvalidInput

NEWER = "The list of sessions was written by a later version of the chat. It can be read here, and not changed."
Rows = Mapping[str, Row]


class Moment(NamedTuple):
    """When something last happened in a session. These compare as what happened did, whatever the clock said.

    `seconds` is the time, but never before that of anything noted earlier: a clock may be set back. `number` counts
    what was noted; `at` is what the clock said, ISO 8601 in UTC. `imported`: an import says so, and no clock here.
    """

    seconds: float
    number: int
    at: str
    imported: bool = False


def session_moment(session: WebChatSession) -> Moment:
    """When the session was last active, as its record says."""
    return Moment(seconds_of(session.last_active), 0, session.last_active)


class Touches(Protocol):
    """When something last happened in each session."""

    @property
    def generation(self) -> int:
        """Counts how often all of it was read anew."""

    @property
    def newest(self) -> float:
        """The newest moment that was noted, in seconds since 1970; imports do not count."""

    def note_all(self, times: Mapping[str, str], what: str) -> None:
        """Note when `what` happened in these sessions; never raises."""

    def latest(self, session_id: str) -> Moment | None:
        """When something last happened in the session."""

    def latest_known(self, session_id: str) -> Moment | None:
        """The same as it was when it was last read on."""

    def moved(self, generation: int, since: int) -> tuple[Sequence[str], int]:
        """The sessions in which something happened after the first `since`, and how many there are now. Reads on.

        In another generation than `generation` all have.
        """

    def stamp(self) -> object:
        """Changes whenever anything is noted, in any process."""


class Table(Protocol):
    """Where the records are."""

    kept_aside: str | None
    """Where a copy lies of what was not understood before it was written over."""

    def read(self) -> Registry:
        """What there is now. Raises StorageError."""

    def stamp(self) -> object:
        """Differs from an earlier one when records have changed, in any process."""

    def update(self, change: Callable[[Rows], Rows]) -> Rows:
        """Write what `change` makes of the rows as they are now; gives that. What it raises changes nothing."""


@dataclass(frozen=True)
class Registry:
    """What the file says; `damaged` where some of it was not understood, `newer` where a later version wrote it."""

    rows: Rows = field(default_factory=dict)
    damaged: bool = False
    newer: bool = False

    @cached_property
    def current(self) -> Mapping[str | None, str]:
        """Each owner's current session."""
        return {row.get("owner"): row["session_id"] for row in self.rows.values() if row.get("is_active")}

    @cached_property
    def keyed(self) -> Mapping[tuple[str | None, str], str]:
        """The sessions that were made with a key, by their owner and that."""
        rows = (row for row in self.rows.values() if isinstance(row.get("key"), str) and not row.get("deleted_at"))
        return {(row.get("owner"), row["key"]): row["session_id"] for row in rows}

    def require_known(self) -> None:
        """Raises InvalidInput where a later version wrote it: then nothing is to be changed."""
        if self.newer:
            raise InvalidInput(NEWER)


def count_of(rows: Rows, owner: str | None) -> int:
    """How many sessions a person has that can be seen: of those without a message only the current one."""
    mine = (row for row in rows.values() if row.get("owner") == owner and not row.get("deleted_at"))
    return sum(1 for row in mine if row.get("is_active") or session_of(row).begun)


def without_current(rows: Rows, owner: str | None) -> Rows:
    """The records with none of this person's sessions current."""
    return {
        key: {**row, "is_active": False} if row.get("is_active") and row.get("owner") == owner else row
        for key, row in rows.items()
    }
