"""The list of sessions, by page, search, folder and day. Knows no route."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from markupsafe import Markup

from webchat.chat.search import Hit
from webchat.errors import StorageError
from webchat.session_store import WebChatSession
from webchat.storage.protocols import Shelf
from webchat.web.context import DAYS, day_group, link, local_time, manager, owner
from webchat.web.htmx import partial
from webchat.web.templates import render_template

SESSIONS_SHOWN = 50
HITS_SHOWN = 30
"""Hits of a full-text search at most."""


@dataclass(frozen=True)
class Group:
    """A heading of the list, and the sessions below it."""

    name: str
    sessions: tuple[WebChatSession, ...]


@dataclass(frozen=True)
class SaidIn:
    """A hit of a full-text search: a session and a message in it."""

    session: WebChatSession
    hit: Hit

    @property
    def is_title(self) -> bool:
        """Whether the session's title was taken from this message."""
        return (self.hit.before + self.hit.match + self.hit.after).startswith(self.session.description.rstrip("…"))


Hits = tuple[list[SaidIn], bool, bool]
"""What a full-text search found, whether the index is up to date, and whether only a part was searched."""


def list_part(
    query: str = "", page: int = 0, folder: str | None = None, by: str = "", program: str | None = None
) -> str:
    """The rows of the sessions list, newest first, 50 at a time."""
    return render_template("webchat/_session_list.html", **list_context(query, page, "", folder, by, program))


def list_context(
    query: str = "",
    page: int = 0,
    show: str = "",
    folder: str | None = None,
    by: str = "",
    program: str | None = None,
) -> dict[str, Any]:
    """What `_session_list.html` needs; `by` "folder" has a heading for each folder."""
    sessions, has_more = listed(query, page, show, folder, by, program)
    hits, complete, partial = said(query, sessions, folder, program) if page == 0 and not show else ([], True, False)
    current = manager().active_session(owner())
    return {
        "hits": hits,
        "complete": complete,
        "partial": partial,
        "groups": _by_folder(sessions) if by else _groups(sessions, show),
        "folder": folder,
        "by": by,
        "program": program,
        "programs": {} if show else manager().programs.programs,
        "has_folders": any(session.working_dir != "~" for session in sessions),
        "here": current.working_dir if current and current.working_dir != "~" else None,
        "waiting": waiting(sessions),
        "query": query,
        "page": page,
        "show": show,
        "more": _link_to_more(query, page, show, folder, by, program) if has_more else None,
        "notice": manager().store.notice,
    }


def _link_to_more(query: str, page: int, show: str, folder: str | None, by: str, program: str | None) -> str:
    narrowed = {"q": query or None, "show": show or None, "folder": folder, "by": by or None, "program": program}
    return link("sessions", page=page + 1, **narrowed)


def waiting(sessions: Iterable[WebChatSession]) -> frozenset[str]:
    """The ids of those that ask their person something; none if that cannot be read."""
    with suppress(StorageError):
        return manager().waiting_for_answers([session.session_id for session in sessions])
    return frozenset()


def list_partial() -> Markup:
    """The rows of the dropdown, as a swap."""
    return partial("sessionList", "outerHTML", list_part())


def listed(
    query: str = "",
    page: int = 0,
    show: str = "",
    folder: str | None = None,
    by: str = "",
    program: str | None = None,
) -> tuple[list[WebChatSession], bool]:
    """One page of the list, and whether there are more: what is pinned first, then the newest.

    `show` is "" for the list, "archived" or "trash"; with `folder` only what works there, with `program`
    only what that other program has written. Sessions without a message
    are hidden, but for the current.
    """
    shelf: Shelf = "trash" if show == "trash" else "archive" if show else "both" if query.strip() else "list"
    start = page * SESSIONS_SHOWN
    asked = shelf, query, start, SESSIONS_SHOWN + 1, owner(), folder, program
    found = manager().list_page(*asked, by_folder=by == "folder")
    return found[:SESSIONS_SHOWN], len(found) > SESSIONS_SHOWN


def said(query: str, titled: Sequence[WebChatSession], folder: str | None = None, program: str | None = None) -> Hits:
    """The hits of a full-text search, whether the index is up to date, and whether only a part was searched.

    Sessions that match by title come last, and not at all if the hit is the message that the title was taken from.
    """
    if not query.strip():
        return [], True, False
    beside = {session.session_id for session in titled}
    hits, complete, partial = manager().search(query, HITS_SHOWN + len(beside), owner(), folder, program)
    said_in = [SaidIn(manager().session_to_read(hit.session_id, owner()), hit) for hit in hits]
    others = [item for item in said_in if item.hit.session_id not in beside]
    others += [item for item in said_in if item.hit.session_id in beside and not item.is_title]
    return others[:HITS_SHOWN], complete, partial


def _groups(sessions: list[WebChatSession], show: str) -> list[Group]:
    days = _days([session for session in sessions if not session.pinned])

    def heading(session: WebChatSession) -> str:
        if show == "trash":
            return "Deleted"
        return "Pinned" if session.pinned else days[session.session_id]

    return [Group(name, tuple(group)) for name, group in groupby(sessions, key=heading)]


def _by_folder(sessions: Sequence[WebChatSession]) -> list[Group]:
    return [Group(name, tuple(group)) for name, group in groupby(sessions, key=lambda session: session.working_dir)]


def _days(sessions: Sequence[WebChatSession]) -> dict[str, str]:
    """The day's heading of each of these sessions, newest first: none gets an older one than the session below it.

    A session from a time when the clock was behind keeps its place, though its time is too early.
    """
    now = local_time(datetime.now().astimezone().isoformat())
    assert now is not None  # noqa: S101  (a time that was just made)
    newest, days = 0, {}
    for session in reversed(sessions):
        newest = max(newest, DAYS.index(day_group(local_time(session.last_active), now)))
        days[session.session_id] = DAYS[newest]
    return days
