"""Serves the stored pictures of messages."""

from __future__ import annotations

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import NotFound

from webchat.chat.picture import MEDIA_TYPES, is_picture_key
from webchat.errors import storing
from webchat.web.context import manager, owner


def register(blueprint: Blueprint) -> None:
    blueprint.get("/sessions/<session_id>/pictures/<key>", endpoint="picture")(picture)


def picture(session_id: str, key: str) -> Response:
    """A picture of one of the user's sessions.

    Its URL contains a digest of its bytes, so that browsers may cache it for ever, unless the session is temporary.
    """
    session = manager().get_session(session_id, owner())
    with storing("The picture could not be read"):
        known = is_picture_key(key)
        data = manager().storage.pictures.read(session.session_id, key) if known else None
    if data is None:
        raise NotFound("There is no such picture in this session.")
    digest, _, suffix = key.partition(".")
    response = Response(data, mimetype=MEDIA_TYPES[suffix])
    response.headers["Content-Disposition"] = f"inline; filename={digest[:12]}.{suffix}"
    # A browser would write a cached picture to its disk.
    response.headers["Cache-Control"] = "no-store" if session.temporary else "private, max-age=31536000, immutable"
    response.set_etag(digest)
    response.make_conditional(request)
    g.inert = True
    return response
