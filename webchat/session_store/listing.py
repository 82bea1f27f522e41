"""The sessions in the order of what last happened in them, of which a message moves one. Knows no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from webchat.activity import Moment
from webchat.session_store.registry import Row, Rows, last_active, session_of
from webchat.session_store.session import WebChatSession


@dataclass(frozen=True, slots=True)
class _Listed:
    """A session in the list's order, and what it was made from."""

    row: Row
    moment: Moment | None
    session: WebChatSession
    last: Moment

    def order(self) -> Moment:
        return self.last


class Listing:
    """The list as it was made last."""

    def __init__(self) -> None:
        self._sorted: tuple[object, tuple[WebChatSession, ...]] = (None, ())
        self._listed: dict[str, _Listed] = {}

    def newest_first(self, rows: Rows, latest: Mapping[str, Moment], version: object) -> Sequence[WebChatSession]:
        """All sessions; `version` differs from an earlier one when rows or moments may have changed."""
        known, sessions = self._sorted
        if known != version:
            self._listed = {key: self._as_listed(key, row, latest) for key, row in rows.items()}
            newest_first = sorted(self._listed.values(), key=_Listed.order, reverse=True)
            sessions = tuple(listed.session for listed in newest_first)
            self._sorted = (version, sessions)
        return sessions

    def _as_listed(self, session_id: str, row: Row, latest: Mapping[str, Moment]) -> _Listed:
        """What was made of the row before, where nothing has happened in it: a message changes one of thousands."""
        known, moment = self._listed.get(session_id), latest.get(session_id)
        if known and known.row is row and known.moment == moment:
            return known
        session = as_of(session_of(row), latest)
        return _Listed(row, moment, session, moment or last_active(session))


def as_of(session: WebChatSession, latest: Mapping[str, Moment]) -> WebChatSession:
    """The session with the time of what last happened in it."""
    moment = latest.get(session.session_id)
    return replace(session, last_active=moment.at) if moment else session
