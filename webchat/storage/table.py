"""The protocols of a table of sessions' records that is read as a whole, and of their latest activity.

Knows no file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

from webchat.chat.session import Row, WebChatSession
from webchat.chat.times import seconds_of
from webchat.errors import InvalidInput

NEWER = "The list of sessions was written by a later version of the chat. You can read it here, but not change it."
Rows = Mapping[str, Row]


class Moment(NamedTuple):
    """A session's latest activity. Moments compare in the order of the events, even if the clock was set back.

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
        """How often the activity was read from the beginning."""

    @property
    def newest(self) -> float:
        """The latest noted time, in seconds since 1970, without imports."""

    def note_all(self, times: Mapping[str, str], what: str) -> None:
        """Note when `what` happened in these sessions; never raises."""

    def latest(self, session_id: str) -> Moment | None:
        """When something last happened in the session."""

    def latest_known(self, session_id: str) -> Moment | None:
        """The same, without reading new entries."""

    def moved(self, generation: int, since: int) -> tuple[Sequence[str], int]:
        """The sessions in which something happened after the first `since`, and how many there are now. Reads on.

        In another generation than `generation` all have.
        """

    def stamp(self) -> object:
        """Changes whenever anything is noted, in any process."""


class Table(Protocol):
    """The table of records."""

    kept_aside: str | None
    """The copy of content that could not be parsed, made before it was overwritten."""

    def read(self) -> Registry:
        """The current rows. Raises StorageError."""

    def stamp(self) -> object:
        """Differs from an earlier one when records have changed, in any process."""

    def update(self, change: Callable[[Rows], Rows]) -> Rows:
        """Write the rows that `change` returns for the current ones, and return them. If it raises, nothing changes."""


@dataclass(frozen=True)
class Registry:
    """The table's content; `damaged` if some of it cannot be parsed, `newer` if a later version wrote it."""

    rows: Rows = field(default_factory=dict)
    damaged: bool = False
    newer: bool = False

    @cached_property
    def current(self) -> Mapping[str | None, str]:
        """Each owner's current session."""
        return {row.get("owner"): row["session_id"] for row in self.rows.values() if row.get("is_active")}

    @cached_property
    def keyed(self) -> Mapping[tuple[str | None, str], str]:
        """The sessions that were created with a key, by owner and key."""
        rows = (row for row in self.rows.values() if isinstance(row.get("key"), str) and not row.get("deleted_at"))
        return {(row.get("owner"), row["key"]): row["session_id"] for row in rows}

    def require_known(self) -> None:
        """Raises InvalidInput if a later version wrote it: then nothing may be changed."""
        if self.newer:
            raise InvalidInput(NEWER)


def count_of(rows: Rows, owner: str | None) -> int:
    """How many sessions a person has, without the trash."""
    return sum(row.get("owner") == owner and not row.get("deleted_at") for row in rows.values())


def without_current(rows: Rows, owner: str | None) -> Rows:
    """The records without a current session for this person."""
    return {
        key: {**row, "is_active": False} if row.get("is_active") and row.get("owner") == owner else row
        for key, row in rows.items()
    }
