"""The sessions in the order of what last happened in them, of which a message moves one. Knows no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from webchat.session_store.registry import Row, Rows, last_active, session_of
from webchat.session_store.session import WebChatSession
from webchat.storage.files.activity import Moment


@dataclass(frozen=True, slots=True)
class _Listed:
    """A session in the list's order, and what it was made from."""

    row: Row
    moment: Moment | None
    session: WebChatSession
    last: Moment

    def order(self) -> Moment:
        return self.last


@dataclass(frozen=True)
class Listing:
    """All sessions, newest first, as they were at some `version` of the list."""

    version: object = None
    sessions: tuple[WebChatSession, ...] = ()
    listed: Mapping[str, _Listed] = field(default_factory=dict)

    def renewed(self, version: object, rows: Rows, latest: Mapping[str, Moment]) -> Listing:
        """The list as it is now."""
        listed = {key: self._as_listed(key, row, latest) for key, row in rows.items()}
        newest_first = sorted(listed.values(), key=_Listed.order, reverse=True)
        return Listing(version, tuple(each.session for each in newest_first), listed)

    def _as_listed(self, session_id: str, row: Row, latest: Mapping[str, Moment]) -> _Listed:
        """What was made of the row before, where nothing has happened in it: a message changes one of thousands."""
        known, moment = self.listed.get(session_id), latest.get(session_id)
        if known and known.row is row and known.moment == moment:
            return known
        session = as_of(session_of(row), latest)
        return _Listed(row, moment, session, moment or last_active(session))


def as_of(session: WebChatSession, latest: Mapping[str, Moment]) -> WebChatSession:
    """The session with the time of what last happened in it."""
    moment = latest.get(session.session_id)
    return replace(session, last_active=moment.at) if moment else session
