"""What holds for the records of sessions: whose one is, how many there are. Knows no file."""

from __future__ import annotations

from webchat.chat.times import seconds_of
from webchat.errors import SessionNotFound
from webchat.session_store.registry import Row, Rows, session_of


def owned(rows: Rows, session_id: str, owner: str | None) -> Row:
    """The record of a person's session that is not in the trash. Raises SessionNotFound."""
    row = rows.get(session_id)
    if row is None or row.get("owner") != owner or row.get("deleted_at"):
        raise SessionNotFound(session_id)
    return row


def trashed(rows: Rows, session_id: str, owner: str | None) -> Row:
    """The same for one that is. Raises SessionNotFound."""
    row = rows.get(session_id)
    if row is None or row.get("owner") != owner or not row.get("deleted_at"):
        raise SessionNotFound(session_id)
    return row


def kept_since(row: Row) -> float:
    """Since when a session lies in the trash, in seconds since 1970."""
    return max(seconds_of(row["deleted_at"]), seconds_of(row.get("kept_since") or ""))


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
