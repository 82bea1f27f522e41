"""Ids in the registry that an import has claimed and not completed. Knows no transcript."""

from __future__ import annotations

from collections.abc import Callable, Collection

from webchat.session_store.registry import RegistryFile, Row, Rows

CLAIMED = "\0claimed"
"""The owner of a claim's record. Nobody's name has a NUL, so no call for a person finds it."""
RequireRoom = Callable[[Rows, str | None, int], None]


class Claims:
    """What imports write to the registry. Each call is one write; one that raises changes nothing."""

    def __init__(self, file: RegistryFile, require_room: RequireRoom) -> None:
        """`require_room` raises LimitReached if an owner may not have so many more sessions."""
        self._file, self._require_room = file, require_room

    def make(self, choose: Callable[[Rows], Collection[str]], owner: str | None) -> None:
        """Claim ids for sessions of this owner. `choose` gives them; it is shown the rows that none may be in.

        Raises LimitReached, and what `choose` raises.
        """

        def change(rows: Rows) -> Rows:
            claimed = choose(rows)
            self._require_room(rows, owner, len(claimed))
            return {**rows, **{name: {"session_id": name, "owner": CLAIMED} for name in claimed}}

        self._file.update(change)

    def complete(self, new: Collection[Row], owner: str | None) -> None:
        """Replace claims by these records; none of them is current."""
        mine = {} if owner is None else {"owner": owner}
        rows = {row["session_id"]: {**row, **mine, "is_active": False} for row in new}
        self._file.update(lambda known: {**known, **rows})

    def drop(self, session_ids: Collection[str]) -> None:
        """Remove these claims."""
        gone = {*session_ids}

        def change(rows: Rows) -> Rows:
            return {key: row for key, row in rows.items() if key not in gone or row.get("owner") != CLAIMED}

        self._file.update(change)

    def all(self) -> list[str]:
        """The ids that are claimed, by a running import or one that broke off. Raises StorageError."""
        return [key for key, row in self._file.read().rows.items() if row.get("owner") == CLAIMED]
