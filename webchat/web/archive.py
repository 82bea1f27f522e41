"""Sessions exported as files."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from urllib.parse import quote

from flask import Blueprint, Response, g, request, stream_with_context

from webchat.archive.export import NoteLeftOut, refuse
from webchat.conventions import EXPORT_FORMATS
from webchat.errors import InvalidInput
from webchat.session_store import WebChatSession
from webchat.web.context import chat_of, client, manager, owner
from webchat.web.streams import holding


def register(blueprint: Blueprint) -> None:
    blueprint.get("/sessions/<session_id>/export", endpoint="export")(export)
    blueprint.get("/sessions/export", endpoint="export_all")(export_all)


def export(session_id: str) -> Response:
    """One session, of ours or of another program. Raises SessionNotFound, StorageError if it cannot be read."""
    session = manager().reader.require(session_id, owner())
    return _file([session], _in_file_names(session.description) or session.short_id, session.short_id, refuse)


def export_all() -> Response:
    """All sessions except temporary ones and those in the trash, oldest first.

    The file and the page list sessions that cannot be read.
    """
    sessions = sorted(manager().list_sessions(owner()), key=lambda session: (session.created_at, session.session_id))
    begun = [session for session in sessions if session.begun and not session.temporary]
    name = f"webchat-{datetime.now(UTC):%Y-%m-%d}"
    return _file(begun, name, name, manager().archive.begin_export(owner()))


def _in_file_names(title: str) -> str:
    """A title's letters, digits and hyphens in any script; "" if it has none."""
    # Vowel signs and accents may be separate characters, which are not letters.
    kept = (char if char.isalnum() or char == "_" or unicodedata.category(char)[0] == "M" else " " for char in title)
    return "-".join("".join(kept).split())[:60].strip("-")


def _file(sessions: Sequence[WebChatSession], name: str, plain: str, note: NoteLeftOut) -> Response:
    """A download with that name; `plain` is its name in ASCII."""
    kind = request.args.get("format", "jsonl")
    if kind not in EXPORT_FORMATS:
        raise InvalidInput(f"format must be one of {', '.join(EXPORT_FORMATS)}.")
    g.place = chat_of().downloads.take(client())
    parts = manager().archive.export_as(kind, sessions, note, chat_of().title)
    first = [*islice(parts, 1)]  # read now, so that an error in it becomes an error page
    response = Response(stream_with_context(chain(first, parts)), mimetype=EXPORT_FORMATS[kind])
    names = {"filename": f"{name if name.isascii() else plain}.{kind}"}
    if not name.isascii():
        names["filename*"] = f"UTF-8''{quote(name)}.{kind}"  # RFC 5987: a header is ASCII
    response.headers.set("Content-Disposition", "attachment", **names)
    return holding(response)
