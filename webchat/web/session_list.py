"""The list of sessions, by page, search, folder and day. Knows no route."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup

from webchat.chat.search import Hit, is_wordless
from webchat.errors import InvalidInput, StorageError
from webchat.session_store import WebChatSession
from webchat.storage.protocols import Shelf
from webchat.web.context import DAYS, day_group, link, local_time, manager, owner
from webchat.web.htmx import partial
from webchat.web.templates import render_template

SHELVES: Mapping[str, Shelf] = {"": "list", "archived": "archive", "trash": "trash"}
"""The shelves of sessions, by their name in URLs."""
SESSIONS_SHOWN = 50
HITS_SHOWN = 30
"""Hits of a full-text search at most."""


@dataclass(frozen=True)
class Group:
    """A heading of the list, and the sessions below it."""

    name: str
    sessions: tuple[WebChatSession, ...]


@dataclass(frozen=True)
class SessionHit:
    """A hit of a full-text search: a session and a message in it."""

    session: WebChatSession
    hit: Hit

    @property
    def is_title(self) -> bool:
        """Whether the session's title was taken from this message."""
        return (self.hit.before + self.hit.match + self.hit.after).startswith(self.session.description.rstrip("…"))


@dataclass(frozen=True)
class FoundInMessages:
    """What a full-text search found, whether the index is up to date, and whether only a part was searched."""

    hits: tuple[SessionHit, ...] = ()
    complete: bool = True
    partial: bool = False


@dataclass(frozen=True)
class ListRequest:
    """Which sessions to list: the query of the list's URL.

    `show` is "" for the list, "archived" or "trash"; with `folder`, only sessions that work there; with `program`, only
    sessions of that other program; `by` "folder" adds a heading for each folder.
    """

    query: str = ""
    page: int = 0
    show: str = ""
    folder: str | None = None
    by: str = ""
    program: str | None = None

    def __post_init__(self) -> None:
        if self.show not in SHELVES:
            raise InvalidInput(f"show must be one of {', '.join(filter(None, SHELVES))}, or be left out.")
        if self.by not in ("", "folder"):
            raise InvalidInput("by must be folder, or be left out.")

    @property
    def shelf(self) -> Shelf:
        return SHELVES[self.show] if self.show else "both" if self.query.strip() else "list"

    @property
    def searches_messages(self) -> bool:
        """Whether hits of the full-text search come first: on the first page of a search."""
        return bool(self.query.strip()) and self.page == 0 and not self.show

    @property
    def next_page(self) -> str:
        """The URL of the page after this one."""
        narrowed = {"q": self.query or None, "show": self.show or None, "by": self.by or None}
        return link("sessions", page=self.page + 1, folder=self.folder, program=self.program, **narrowed)


def list_part(wanted: ListRequest | None = None) -> str:
    """The rows of the sessions list, newest first, 50 at a time."""
    return render_template("webchat/_session_list.html", **list_context(wanted or ListRequest()))


def list_context(wanted: ListRequest) -> dict[str, Any]:
    """The context of `_session_list.html`."""
    sessions, has_more = listed(wanted)
    found = found_in_messages(wanted, sessions)
    current = manager().active_session(owner())
    return {
        **asdict(wanted),
        "hits": found.hits,
        "complete": found.complete,
        "partial": found.partial,
        "wordless": is_wordless(wanted.query),
        "groups": _by_folder(sessions) if wanted.by else _groups(sessions, wanted.show),
        "programs": {} if wanted.show else manager().programs.programs,
        "has_folders": any(session.working_dir != "~" for session in sessions),
        "here": current.working_dir if current and current.working_dir != "~" else None,
        "waiting": waiting(sessions),
        "more": wanted.next_page if has_more else None,
        "notice": manager().store.notice,
        "is_new": not sessions and _is_new(wanted),
    }


def _is_new(wanted: ListRequest) -> bool:
    """Whether an empty list is empty because there are no sessions at all, as far as can be read."""
    others = (shelf for shelf in SHELVES.values() if shelf != wanted.shelf)
    is_narrowed = wanted.folder or wanted.program or wanted.query
    return not is_narrowed and not any(manager().directory.page(shelf, count=1, owner=owner()) for shelf in others)


def waiting(sessions: Iterable[WebChatSession]) -> frozenset[str]:
    """The ids of sessions with an open question; none if that cannot be read."""
    with suppress(StorageError):
        return manager().waiting_for_answers([session.session_id for session in sessions])
    return frozenset()


def list_partial() -> Markup:
    """The rows of the dropdown, as a swap."""
    return partial("sessionList", "outerHTML", list_part())


def listed(wanted: ListRequest) -> tuple[list[WebChatSession], bool]:
    """One page of the list, and whether there are more: pinned sessions first, then the newest.

    Sessions without a message are hidden, except the current one.
    """
    start, by_folder = wanted.page * SESSIONS_SHOWN, wanted.by == "folder"
    narrowed = owner(), wanted.folder, wanted.program
    asked = wanted.shelf, wanted.query, start, SESSIONS_SHOWN + 1, *narrowed
    found = manager().directory.page(*asked, by_folder=by_folder)
    return found[:SESSIONS_SHOWN], len(found) > SESSIONS_SHOWN


def found_in_messages(wanted: ListRequest, titled: Sequence[WebChatSession]) -> FoundInMessages:
    """The hits of a full-text search.

    Sessions that match by title come last, and not at all if the hit is the message that the title was taken from.
    """
    if not wanted.searches_messages:
        return FoundInMessages()
    beside = {session.session_id for session in titled}
    found = manager().directory.search(wanted.query, HITS_SHOWN + len(beside), owner(), wanted.folder, wanted.program)
    hits = [SessionHit(manager().reader.require(hit.session_id, owner()), hit) for hit in found.hits]
    others = [item for item in hits if item.hit.session_id not in beside]
    others += [item for item in hits if item.hit.session_id in beside and not item.is_title]
    return FoundInMessages(tuple(others[:HITS_SHOWN]), found.complete, found.partial)


def _groups(sessions: list[WebChatSession], show: str) -> list[Group]:
    days = _days([session for session in sessions if not (session.pinned or session.temporary)])

    def heading(session: WebChatSession) -> str:
        if show == "trash":
            return "Deleted"
        if session.temporary:
            return "Temporary"
        return "Pinned" if session.pinned else days[session.session_id]

    return [Group(name, tuple(group)) for name, group in groupby(sessions, key=heading)]


def _by_folder(sessions: Sequence[WebChatSession]) -> list[Group]:
    return [Group(name, tuple(group)) for name, group in groupby(sessions, key=lambda session: session.working_dir)]


def _days(sessions: Sequence[WebChatSession]) -> dict[str, str]:
    """The day's heading of each of these sessions, newest first: none gets an older day than the session below it.

    If the clock was behind, a session's time is too early, but it keeps its place.
    """
    now = local_time(manager().now())
    assert now is not None  # noqa: S101  (a time that was just made)
    newest, days = 0, {}
    for session in reversed(sessions):
        newest = max(newest, DAYS.index(day_group(local_time(session.last_active), now)))
        days[session.session_id] = DAYS[newest]
    return days
