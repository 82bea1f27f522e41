"""Sessions taken along as a file, and brought in from one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from flask import Blueprint, Response, render_template, request, stream_with_context

from webchat.archive import Report
from webchat.archive.readable import as_html, as_markdown
from webchat.errors import InvalidInput
from webchat.faces import script_answer
from webchat.session_store import WebChatSession
from webchat.transcript import Message
from webchat.views.context import chat_of, manager, owner
from webchat.views.inputs import LARGEST_IMPORT

KINDS = {"jsonl": "application/jsonl", "md": "text/markdown", "html": "text/html"}


def register(blueprint: Blueprint) -> None:
    """Give the blueprint this module's routes."""
    blueprint.get("/sessions/<session_id>/export", endpoint="export")(export)
    blueprint.get("/sessions/export", endpoint="export_all")(export_all)
    blueprint.post("/sessions/import", endpoint="import")(bring_in)


def export(session_id: str) -> Response:
    session = manager().get_session(session_id, owner())
    return _file([session], re.sub(r"[^\w-]+", "-", session.description)[:60].strip("-") or session.short_id)


def export_all() -> Response:
    """All sessions but those in the trash, the oldest first."""
    sessions = sorted(manager().list_sessions(owner()), key=lambda session: (session.created_at, session.session_id))
    return _file([session for session in sessions if session.begun], f"webchat-{datetime.now(UTC):%Y-%m-%d}")


def bring_in() -> Response | str:
    """Take in the files of a form, or the body of a request."""
    request.max_content_length = LARGEST_IMPORT
    files = [file.stream for file in request.files.getlist("file") if file.filename]
    if not files and request.mimetype != "multipart/form-data" and request.content_length:
        files = [request.stream]
    if not files:
        raise InvalidInput("Choose a file first.")
    report = Report()
    for file in files:
        one = manager().archive.bring_in(file, owner())
        report.imported += one.imported
        report.known += one.known
        report.problems += one.problems
    told = {"imported": report.imported, "known": report.known, "problems": report.problems}
    return script_answer(told) or render_template("webchat/imported.html", report=report)


def _file(sessions: Sequence[WebChatSession], name: str) -> Response:
    kind = request.args.get("format", "jsonl")
    if kind not in KINDS:
        raise InvalidInput(f"format is one of {', '.join(KINDS)}.")
    title = chat_of().title
    body: Iterable[bytes | str]
    if kind == "jsonl":
        body = manager().archive.export(sessions)
    elif kind == "md":
        body = as_markdown(_told(sessions), title)
    else:
        body = as_html(_told(sessions), title, sessions[0].description if len(sessions) == 1 else title)
    response = Response(stream_with_context(body), mimetype=KINDS[kind])
    response.headers.set("Content-Disposition", "attachment", filename=f"{name}.{kind}")
    return response


def _told(sessions: Iterable[WebChatSession]) -> Iterator[tuple[WebChatSession, Sequence[Message]]]:
    for session in sessions:
        yield session, manager().read_conversation(session.session_id).messages
