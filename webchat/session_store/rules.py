"""Rules of the records of sessions: owner and trash. Knows no storage."""

from __future__ import annotations

from webchat.chat.session import Row
from webchat.errors import SessionNotFound


def owned(session_id: str, row: Row | None, owner: str | None) -> Row:
    """The record of a person's session that is not in the trash. Raises SessionNotFound."""
    if row is None or row.get("owner") != owner or row.get("deleted_at"):
        raise SessionNotFound(session_id)
    return row


def trashed(session_id: str, row: Row | None, owner: str | None) -> Row:
    """The record of a person's session in the trash. Raises SessionNotFound."""
    if row is None or row.get("owner") != owner or not row.get("deleted_at"):
        raise SessionNotFound(session_id)
    return row
