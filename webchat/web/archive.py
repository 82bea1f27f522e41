"""Sessions exported as files."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from urllib.parse import quote

from flask import Blueprint, Response, g, request, stream_with_context

from webchat.archive.export import NoteLeftOut, read_each, refuse
from webchat.archive.readable import as_html, as_markdown
from webchat.chat.message import Message
from webchat.errors import InvalidInput
from webchat.session_store import WebChatSession
from webchat.web.context import chat_of, client, manager, owner
from webchat.web.streams import holding

KINDS = {"jsonl": "application/jsonl", "md": "text/markdown", "html": "text/html"}


def register(blueprint: Blueprint) -> None:
    """Give the blueprint this module's routes."""
    blueprint.get("/sessions/<session_id>/export", endpoint="export")(export)
    blueprint.get("/sessions/export", endpoint="export_all")(export_all)


def export(session_id: str) -> Response:
    """One session. Raises SessionNotFound, StorageError if it cannot be read."""
    session = manager().get_session(session_id, owner())
    return _file([session], _in_file_names(session.description) or session.short_id, session.short_id, refuse)


def export_all() -> Response:
    """All sessions but temporary ones and those in the trash, oldest first.

    The file and the page name those that cannot be read.
    """
    sessions = sorted(manager().list_sessions(owner()), key=lambda session: (session.created_at, session.session_id))
    begun = [session for session in sessions if session.begun and not session.temporary]
    name = f"webchat-{datetime.now(UTC):%Y-%m-%d}"
    return _file(begun, name, name, manager().archive.begin_export(owner()))


def _in_file_names(title: str) -> str:
    """A title's letters, digits and hyphens in any script; "" if it has none."""
    # A vowel sign or an accent is a character of its own, and no letter.
    kept = (char if char.isalnum() or char == "_" or unicodedata.category(char)[0] == "M" else " " for char in title)
    return "-".join("".join(kept).split())[:60].strip("-")


def _file(sessions: Sequence[WebChatSession], name: str, plain: str, note: NoteLeftOut) -> Response:
    """A download of that name; `plain` is its name in ASCII."""
    kind = request.args.get("format", "jsonl")
    if kind not in KINDS:
        raise InvalidInput(f"format is one of {', '.join(KINDS)}.")
    g.place = chat_of().downloads.take(client())
    parts = _parts(kind, sessions, note)
    first = [*islice(parts, 1)]  # what goes wrong with the first part is an error page
    response = Response(stream_with_context(chain(first, parts)), mimetype=KINDS[kind])
    names = {"filename": f"{name if name.isascii() else plain}.{kind}"}
    if not name.isascii():
        names["filename*"] = f"UTF-8''{quote(name)}.{kind}"  # RFC 5987: a header itself is ASCII
    response.headers.set("Content-Disposition", "attachment", **names)
    return holding(response)


def _parts(kind: str, sessions: Sequence[WebChatSession], note: NoteLeftOut) -> Iterator[bytes]:
    title = chat_of().title
    if kind == "jsonl":
        return manager().archive.export(sessions, note)
    read_picture = manager().storage.pictures.read
    told = read_each(sessions, _messages, note)
    heading = sessions[0].description if len(sessions) == 1 else title
    text = as_markdown(told, title) if kind == "md" else as_html(told, title, heading, read_picture)
    return (part.encode() for part in text)


def _messages(session: WebChatSession) -> Sequence[Message]:
    return manager().read_conversation(session.session_id).messages
