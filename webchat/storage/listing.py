"""The sessions in the order of their latest activity; a message moves one of them. Knows no file."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from typing import NamedTuple

from webchat.chat.session import Row, WebChatSession, session_of
from webchat.storage.table import Moment, Rows, Touches, session_moment


class _Place(NamedTuple):
    """A session's owner, shelf and pinning, which is its list."""

    owner: str | None
    shelf: str
    pinned: bool


@dataclass(frozen=True, slots=True)
class _Listed:
    """A session in the list's order, and what it was made from."""

    row: Row
    moment: Moment | None
    session: WebChatSession
    last: Moment
    place: _Place


class Listing:
    """All sessions as of the last update. The caller holds a lock."""

    def __init__(self, touches: Touches) -> None:
        self._touches = touches
        self._rows: Rows | None = None
        self._listed: dict[str, _Listed] = {}
        self._orders: dict[_Place, list[tuple[Moment, str]]] = {}
        """The sessions of each place, the latest last: appending and removing are cheapest there."""
        self._generation, self._seen = -1, 0
        self.versions: Counter[str | None] = Counter()
        """How often something changed for each owner."""

    def update(self, rows: Rows) -> None:
        """Update the list. Unless records have changed, the cost depends only on the activity since the last update."""
        moved, seen = self._touches.moved(self._generation, self._seen)
        if rows is not self._rows or self._touches.generation != self._generation:
            self._sort(rows)
            return
        self._seen = seen
        for session_id in dict.fromkeys(moved):
            self._move(session_id)

    def _sort(self, rows: Rows) -> None:
        self._rows, self._generation = rows, self._touches.generation
        _, self._seen = self._touches.moved(self._generation, 0)
        before, self._listed = self._listed, {}
        orders: dict[_Place, list[tuple[Moment, str]]] = {}
        for session_id, row in rows.items():
            listed = self._listed[session_id] = self._as_listed(before.get(session_id), session_id, row)
            orders.setdefault(listed.place, []).append((listed.last, session_id))
            known = before.pop(session_id, None)
            if known is not listed:
                self._count({listed.place.owner, *([known.place.owner] if known else ())})
        for order in orders.values():
            order.sort()
        self._orders = orders
        self._count(gone.place.owner for gone in before.values())

    def _as_listed(self, known: _Listed | None, session_id: str, row: Row) -> _Listed:
        """The row's earlier entry, if nothing has happened in it."""
        moment = self._touches.latest_known(session_id)
        if known and known.row is row and known.moment == moment:
            return known
        session = session_of(row)
        if moment:
            session = replace(session, last_active=moment.at)
        return _Listed(row, moment, session, moment or session_moment(session), _place_of(session))

    def _move(self, session_id: str) -> None:
        known = self._listed.get(session_id)
        if known is None:
            return
        order = self._orders[known.place]
        del order[bisect_left(order, (known.last, session_id))]
        listed = self._listed[session_id] = self._as_listed(known, session_id, known.row)
        insort(order, (listed.last, session_id))
        self._count((known.place.owner,))

    def _count(self, owners: Iterable[str | None]) -> None:
        """Note that something changed for these owners."""
        self.versions.update(owners)

    def sessions(self, owner: str | None, shelves: Sequence[str]) -> Iterator[WebChatSession]:
        """A person's sessions on these shelves, the pinned ones first, then by latest activity."""
        for pinned in (True, False):
            yield from self._in_order([_Place(owner, shelf, pinned) for shelf in shelves])

    def owners(self) -> set[str | None]:
        """Everybody who has a session, if only in the trash."""
        return {place.owner for place in self._orders}

    def by_time(self, owner: str | None) -> Iterator[WebChatSession]:
        """A person's sessions but those in the trash, by latest activity."""
        return self._in_order(
            [_Place(owner, shelf, pinned) for shelf in ("list", "archive") for pinned in (True, False)]
        )

    def _in_order(self, places: Sequence[_Place]) -> Iterator[WebChatSession]:
        orders = [self._orders[place] for place in places if place in self._orders]
        if len(orders) == 1:
            rows: Iterator[tuple[Moment, str]] = reversed(orders[0])
        else:
            rows = merge(*map(reversed, orders), reverse=True)
        return (self._listed[session_id].session for _, session_id in rows)


def _place_of(session: WebChatSession) -> _Place:
    shelf = "trash" if session.deleted_at else "archive" if session.archived else "list"
    return _Place(session.owner, shelf, session.pinned)
