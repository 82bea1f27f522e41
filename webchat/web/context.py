"""What views share: the chat that a request belongs to, and functions that templates call."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import current_app, g, request, url_for

from webchat.addresses import client_at
from webchat.errors import TooBusy
from webchat.limits import Places
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore
from webchat.prompts import Prompts
from webchat.replies.current_backend import options_of
from webchat.session_store import WebChatSession
from webchat.web.bodies import Renderings
from webchat.web.hosting import most_streams, parking
from webchat.web.once import once_a_request
from webchat.web.running_imports import Imports

DAYS = ("Older", "Previous 7 days", "Yesterday", "Today")
"""The headings of the list."""
TIMEZONE_COOKIE = "webchat-timezone"
TOO_MANY = "Too many of your requests are waiting for answers right now. Wait for one to finish, then try again."


PACKAGE = Path(__file__).parent.parent


def resources(name: str) -> Path:
    """The folder `templates` or `static`: inside the package in an installed wheel, beside it in a checkout."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


MOST_DOWNLOADS, DOWNLOADS_PER_CLIENT = 12, 4
"""Exports sent in parallel, in total and to each client: each holds a thread until its client has read it."""
TOO_MANY_DOWNLOADS = "Too many of your exports are running right now. Wait for one to finish, then try again."


@dataclass
class PageTimes:
    """In seconds."""

    beginning: float = 0.05
    """The delay before pages are told about a new message. By then the page that sent it has the response to its form,
    so that the message is neither rendered nor shown twice before the answer's first text."""
    first_text: float = 0.03
    """How long the response to a form waits for the answer's first text, to include it."""
    lifetime: float = 60.0
    """The length of a page's stream if the server does not report disconnects, so that none stays open for nobody. A
    page that is still open reconnects and continues from its last event."""


@dataclass(frozen=True)
class Chat:
    """One mounted chat: its manager and how it presents itself."""

    manager: WebChatSessionManager
    memory: MemoryStore | None
    settings_url: str
    title: str
    theme: Callable[[], str]
    max_streams: int | None
    """None: as many as the server allows, as far as a request shows that."""
    max_streams_per_client: int
    owner: Callable[[], str | None]
    prompts: Prompts
    folders: Sequence[str] = ()
    """New sessions may work below these folders."""
    shared: bool = False
    """Whether people have to sign in, even if `owner` does not tell them apart."""
    renderings: Renderings = field(default_factory=Renderings)
    imports: Imports = field(default_factory=Imports)
    times: PageTimes = field(default_factory=PageTimes)
    streams: Places = field(init=False)
    """Slots for requests that hold a thread for long: scripts that wait for an answer, and streams of pages."""
    parked: Places = field(init=False)
    """Slots for streams of pages, on a server that needs no thread for them."""

    downloads: Places = field(default_factory=lambda: Places(MOST_DOWNLOADS, DOWNLOADS_PER_CLIENT, TOO_MANY_DOWNLOADS))
    """Slots for exports, which last as long as the client downloads."""

    def __post_init__(self) -> None:
        _require_usable(self)
        for name in ("streams", "parked"):
            object.__setattr__(self, name, Places(self.max_streams or 0, self.max_streams_per_client, TOO_MANY))

    def take_stream(self, *, page: bool = False) -> Callable[[], None]:
        """Acquire a slot for a long request; returns the function that releases it. Raises TooBusy.

        A server with a single thread has no slot for a page's stream, but answers one script at a time.
        """
        offer, most = parking(request.environ), most_streams(request.environ)
        if offer and page:
            return self.parked.take(client(), min(offer.most, self.max_streams or offer.most))
        if self.max_streams is not None:
            return self.streams.take(client(), min(most, self.max_streams) if offer else None)
        if page and not most:
            raise TooBusy
        return self.streams.take(client(), max(1, most))

    @property
    def open_streams(self) -> int:
        """The number of taken slots for streams."""
        return self.streams.taken + self.parked.taken

    @property
    def is_one_persons(self) -> bool:
        """Whether the chat has a single user, who runs the server."""
        return not self.shared and self.person() is None

    def person(self) -> str | None:
        """The owner of the sessions that this request is about.

        Raises TypeError for what `owner` should not return: engines differ in what they make of numbers and "".
        """
        name = self.owner()
        if name is None or (isinstance(name, str) and name):
            return name
        raise TypeError(f"owner must return a name or None, not {name!r}; of a number, return str(number)")

    @property
    def takes_folders(self) -> bool:
        """Whether a new session's folder can be chosen on the page."""
        return "working_dir" in self.manager.takes and bool(self.folders or self.is_one_persons)

    @property
    def offers_own_sessions(self) -> bool:
        """Whether the agents' own sessions are offered."""
        return self.is_one_persons and self.manager.agents.keeps_sessions

    @property
    def own_sessions_title(self) -> str:
        """The heading for the agents' own sessions."""
        several = len(self.manager.agents.names) > 1
        return f"Sessions of {'the agents' if several else self.manager.label}"

    @property
    def settings_link(self) -> str:
        """Where the Settings link leads; one that begins with "/" lies below the application's own mount point."""
        return request.script_root + self.settings_url if self.settings_url.startswith("/") else self.settings_url


def _require_usable(chat: Chat) -> None:
    """Raises TypeError, ValueError for what would only fail when a page is shown."""
    if chat.title is None or chat.title == "":  # it may be a text that is translated later
        raise ValueError(f"title must be a text, not {chat.title!r}")
    for name in ("theme", "owner"):
        if not callable(getattr(chat, name)):
            raise TypeError(f"{name} must be a function, not {getattr(chat, name)!r}")
    for name, least in (("max_streams", 1), ("max_streams_per_client", 0)):
        number = getattr(chat, name)
        if number is None and name == "max_streams":
            continue
        if not isinstance(number, int):
            raise TypeError(f"{name} must be a whole number, not {number!r}")
        if number < least:
            raise ValueError(f"{name} must be at least {least}, not {number}")


@once_a_request
def chat_of() -> Chat:
    """The chat that this request belongs to; for pages outside the chats, such as the settings, the first chat."""
    return _chats()[_mounted()]


def _chats() -> dict[str, Chat]:
    """The application's chats by the names that their blueprints are registered with."""
    chats: dict[str, Chat] = current_app.extensions["webchat.chats"]
    return chats


def _mounted() -> str:
    """The name of this request's chat among them."""
    return next((name for name in request.blueprints if name in _chats()), next(iter(_chats())))


def has_gone(after: float = float("inf")) -> Callable[[], bool]:
    """Returns a function: whether this request's client has disconnected, or lost access.

    If the server does not report disconnects, the client counts as gone after that many seconds.
    """
    end = time.monotonic() + after
    gone: Callable[[], bool] = request.environ.get("waitress.client_disconnected", lambda: time.monotonic() > end)
    is_out = has_lost_access()
    return lambda: gone() or is_out()


def has_lost_access() -> Callable[[], bool]:
    """Returns a function: whether this request's user has lost access to the chat."""
    is_out: Callable[[], bool] = g.get("is_out", lambda: False)
    return is_out


def owner() -> str | None:
    """The owner of the sessions that this request is about; None if nobody has to sign in."""
    return chat_of().person()


def client() -> str:
    """Whom the limits count this request for: the signed-in person, else the address."""
    return owner() or client_at(request.remote_addr)


def manager() -> WebChatSessionManager:
    return chat_of().manager


def link(view: str, **values: Any) -> str:  # noqa: ANN401
    """The URL of one of the chat's views, under whatever prefix it is mounted."""
    return url_for(f"{_mounted()}.{view}", **values)


def session_link(session_id: str) -> str:
    return link("session", session_id=session_id)


def hint_version(session: WebChatSession) -> str:
    """Differs from an earlier one if the line below the composer, with the model and options, has changed."""
    options = options_of(session, manager().takes)
    return hashlib.sha256(repr((manager().label_of(session), options)).encode()).hexdigest()[:12]


def static_link(filename: str) -> str:
    """A static file's URL, which changes with the file's content: browsers may keep it for ever."""
    path = resources("static") / filename
    return link("static", filename=filename, v=_fingerprint(path, path.stat().st_mtime_ns))


@lru_cache(maxsize=32)
def _fingerprint(path: Path, modified_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def local_time(iso: str) -> datetime | None:
    """A stored time in the reader's time zone, which a cookie of the page names; without it in the server's."""
    try:
        moment = datetime.fromisoformat(iso)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(_timezone())
    except (ValueError, OverflowError):
        return None


def day_of(moment: datetime) -> str:
    """The date of a reader's local time, with its year if that is not the current one; "" for today."""
    now = local_time(manager().now()) or moment
    if moment.date() == now.date():
        return ""
    return moment.strftime("%-d %b" if moment.year == now.year else "%-d %b %Y")


def _timezone() -> tzinfo | None:
    try:
        return ZoneInfo(request.cookies.get(TIMEZONE_COOKIE, ""))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def day_group(moment: datetime | None, now: datetime) -> str:
    """The heading under which a session is listed. Both times are in the reader's time zone."""
    if moment is None:
        return "Older"
    today = now.date()
    if moment.date() >= today:
        return "Today"
    if moment.date() == today - timedelta(days=1):
        return "Yesterday"
    return "Previous 7 days" if moment.date() >= today - timedelta(days=7) else "Older"
