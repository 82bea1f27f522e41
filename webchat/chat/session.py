"""A session and its record. Pure: knows no file and no permissions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from webchat.chat.plain import one_line
from webchat.chat.texts import DEFAULT_DESCRIPTION
from webchat.chat.times import seconds_of

Row = dict[str, Any]
"""A session's record, including keys unknown to this version."""
TEMPORARY = "temporary"
"""The key of a record that makes its session temporary; such a record is never written."""
WORKS_FOR = "works_for"
"""The key in `extra` of the session that a subagent of another program works for. It is not in the list."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)


def is_session_id(value: object) -> bool:
    """Whether this is a valid session id: safe as a file name, in a URL and in HTML."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def named_part(session_id: str, *, is_others: bool = False) -> str:
    """An id without what many have in common: the name of the program, if the session is another program's."""
    return session_id.partition(".")[2] if is_others else session_id.removeprefix("mock-session-")


def short_id(session_id: str, *, is_others: bool = False) -> str:
    """The part of an id that is shown to people; `is_others` if the session is another program's."""
    return named_part(session_id, is_others=is_others)[:8]


@dataclass(frozen=True)
class WebChatSession:
    """One session. Times are ISO 8601; `extra` holds project_id and working_dir; `begun` says that it has a message.

    title_by: "person" or "model" if one of them named it, else None. deleted_at: when it was moved to the trash, or
    None. program: the name of another program that wrote it; such a session is read-only. temporary: kept only in the
    server's memory.
    """

    session_id: str
    description: str
    created_at: str
    last_active: str
    is_active: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
    begun: bool = False
    owner: str | None = None
    title_by: str | None = None
    pinned: bool = False
    archived: bool = False
    deleted_at: str | None = None
    program: str = ""
    temporary: bool = False

    @property
    def short_id(self) -> str:
        return short_id(self.session_id, is_others=bool(self.program))

    @property
    def project_id(self) -> str:
        return str(self.extra.get("project_id") or "")

    @property
    def working_dir(self) -> str:
        return str(self.extra.get("working_dir") or "~")


def session_of(row: Row) -> WebChatSession:
    """Parses a record."""
    return WebChatSession(
        row["session_id"],
        one_line(row.get("description", "")) or DEFAULT_DESCRIPTION,
        row.get("created_at", ""),
        row.get("last_active") or row.get("created_at", ""),
        bool(row.get("is_active", False)),
        row.get("extra", {}),
        # Records from elsewhere lack the flag; one with a title of its own has been used.
        bool(row.get("begun", row.get("description", DEFAULT_DESCRIPTION) != DEFAULT_DESCRIPTION)),
        row.get("owner"),
        row.get("title_by"),
        bool(row.get("pinned", False)),
        bool(row.get("archived", False)),
        row.get("deleted_at"),
        temporary=row.get(TEMPORARY) is True,
    )


def by_folder(sessions: Iterable[WebChatSession]) -> dict[str, list[WebChatSession]]:
    """The sessions of each folder, in their order; the folder of the first comes first."""
    folders: dict[str, list[WebChatSession]] = {}
    for session in sessions:
        folders.setdefault(session.working_dir, []).append(session)
    return folders


def kept_since(row: Row) -> float:
    """When a session was deleted, in seconds since 1970."""
    return max(seconds_of(row["deleted_at"]), seconds_of(row.get("kept_since") or ""))


def is_row(value: object) -> bool:
    """Whether this is a valid record."""
    if not isinstance(value, dict) or not is_session_id(value.get("session_id")):
        return False
    return all(isinstance(value[key], kind) for key, kind in _TYPES.items() if key in value)


_TYPES: dict[str, type | tuple[type, ...]] = {"description": str, "created_at": str, "last_active": str, "extra": dict}
_TYPES |= {"is_active": bool, "begun": bool, "pinned": bool, "archived": bool}
_TYPES |= {"kept_since": (str, type(None))}
_TYPES |= {"owner": (str, type(None)), "deleted_at": (str, type(None)), "title_by": (str, type(None))}


def is_called(given: str, name: str, *, is_others: bool = False) -> bool:
    """Whether the session with this id, or its short one, is named by these first characters."""
    return name.startswith(given) or named_part(name, is_others=is_others).startswith(given)
