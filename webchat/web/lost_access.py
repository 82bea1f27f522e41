"""Tells an open page that its user has lost access, once: its later requests are refused. Knows no stream."""

from __future__ import annotations

from flask import Response, request

from webchat.chat.conversation import Position
from webchat.errors import NotAllowed
from webchat.web import pieces
from webchat.web.htmx import event_of

_TOLD = "told."
"""Stands before the position of a page that has been told."""
_SOON = 500
"""Milliseconds until the page asks again. It is refused then, and shows what it was told as long as it is refused."""


def lost_event(position: Position) -> str:
    """The event that tells a page with this position."""
    return f"retry: {_SOON}\nid: {_TOLD}{position}\n" + event_of(pieces.lost_partial(NotAllowed.says))


def last_event_id() -> str | None:
    """The position that a reconnecting page sends."""
    given = request.headers.get("Last-Event-ID")
    return given.removeprefix(_TOLD) if given else None


def told_in_time(error: Exception) -> Response | None:
    """The response to a page that was open when its user lost access, and asks again; None if it has been told."""
    given = request.headers.get("Last-Event-ID", "")
    is_open_page = (request.endpoint or "").endswith(".events") and given
    if not isinstance(error, NotAllowed) or not is_open_page or given.startswith(_TOLD):
        return None
    return Response(lost_event(Position.parse(given) or Position()), mimetype="text/event-stream")
