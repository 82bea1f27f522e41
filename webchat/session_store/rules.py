"""Rules of the records of sessions: owner, trash, grouping. Knows no storage."""

from __future__ import annotations

from collections.abc import Iterable

from webchat.chat.session import Row, WebChatSession
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


def grouped_by_folder(sessions: Iterable[WebChatSession]) -> list[WebChatSession]:
    """The sessions grouped by folder, in their order; the folder of the first comes first."""
    folders: dict[str, list[WebChatSession]] = {}
    for session in sessions:
        folders.setdefault(session.working_dir, []).append(session)
    return [session for found in folders.values() for session in found]
