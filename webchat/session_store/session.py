"""One session as the store knows it. Knows no file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)


def is_session_id(value: object) -> bool:
    """Whether this may name a session: it is safe as a file's name, in a URL and in HTML."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def short_id(session_id: str) -> str:
    """What people are shown of an id."""
    return session_id.removeprefix("mock-session-")[:8]


def utc_now() -> str:
    """The present, ISO 8601 in UTC with microseconds, which sorts as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True)
class WebChatSession:
    """One session. Times are ISO 8601; `extra` holds project_id and working_dir; `begun` says that it has a message.

    title_by: "person" or "model" where one of them gave it its title, else None. deleted_at: since when it lies in the
    trash, None where it does not.
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

    @property
    def short_id(self) -> str:
        return short_id(self.session_id)

    @property
    def project_id(self) -> str:
        return str(self.extra.get("project_id") or "")

    @property
    def working_dir(self) -> str:
        return str(self.extra.get("working_dir") or "~")
