"""Errors as HTTP: one table of status codes, one handler, and an answer as page, fragment or JSON."""

from __future__ import annotations

import errno
import logging

from flask import Response, g, request
from werkzeug.exceptions import HTTPException

from webchat.errors import (
    AgentFixed,
    BackendUnavailable,
    Closing,
    Held,
    InvalidInput,
    LimitReached,
    MemoryFull,
    ModelBusy,
    NoActiveSession,
    NoRoom,
    NotAllowed,
    NothingSaid,
    NoThreads,
    NotSignedIn,
    NotWaiting,
    NotYetChosen,
    QuestionClosed,
    ReadOnlySession,
    SessionBusy,
    SessionEnded,
    SessionExists,
    SessionNotFound,
    SessionUnknown,
    StaleView,
    StorageAway,
    StorageError,
    TooBusy,
    TooLarge,
    TooManyGuesses,
    TooOften,
    Unforeseen,
    UnsupportedExport,
    WebChatError,
    WrongToken,
    unforeseen,
)
from webchat.limits import MIB
from webchat.reference import ERROR
from webchat.web import pieces
from webchat.web.context import link, manager, owner
from webchat.web.faces import Face, error_fields, json_answer, wanted_face
from webchat.web.htmx import page_address, shown_as_problem
from webchat.web.lost_access import told_in_time
from webchat.web.security import is_same_site, mark_as_ours
from webchat.web.templates import render_template

log = logging.getLogger(__name__)

STATUS: dict[type[Exception], int] = {
    SessionNotFound: 404,
    SessionExists: 409,
    SessionEnded: 409,
    QuestionClosed: 409,
    NotWaiting: 409,
    Held: 409,
    SessionBusy: 409,
    StaleView: 409,
    ReadOnlySession: 409,
    UnsupportedExport: 409,
    NoActiveSession: 409,
    ModelBusy: 409,
    BackendUnavailable: 503,
    NothingSaid: 502,
    NotYetChosen: 503,
    NotSignedIn: 401,
    NotAllowed: 403,
    WrongToken: 401,
    TooManyGuesses: 429,
    TooBusy: 503,
    NoThreads: 503,
    Closing: 503,
    SessionUnknown: 503,
    AgentFixed: 409,
    InvalidInput: 422,
    LimitReached: 409,
    TooLarge: 413,
    TooOften: 429,
    NoRoom: 507,
    StorageError: 507,
    Unforeseen: 500,
}
RETRY_AFTER = {TooBusy: 5, NoThreads: 5, Closing: 10}
"""Seconds after which a script may retry."""
NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
TEXTS = {
    404: "There is nothing at this address.",
    405: "This address does not accept that kind of request.",
    415: "This type of content is not supported.",
    429: "Too many requests. Wait a moment, then try again.",
}
NOT_FOUND = "This session was not found. It may have been deleted, or have been a temporary chat."
DELETED = "“{}” has been deleted, and is in the trash."
GONE = "This temporary chat has ended. Your next message starts another temporary chat."
REFUSED_BY_HOST = {400, 401, 403, 429, 503}
"""Statuses with which a host application may refuse our forms, for example because a sign-in or a token has expired."""


def handle(error: Exception) -> Response:
    """Respond with the error's text and status, in the requested format."""
    if isinstance(error, StorageAway):
        error = StorageError("This cannot be done now", error)
    mark_as_ours()
    text, status, headers = _response_parts(error)
    request.environ[ERROR] = type(error).__name__ if isinstance(error, WebChatError | HTTPException) else "Unforeseen"
    if told := told_in_time(error):
        return told
    face = wanted_face()
    if face is Face.JSON:
        status = 400 if status == 422 else status
        response = json_answer(error_fields(error, text), status)
    elif face in (Face.TEXT, Face.EVENTS):
        response = Response(text + "\n", status, mimetype="text/plain")
    else:
        response = Response(_page(error, text, status, face), status, mimetype="text/html")
        response = shown_as_problem(response) if face is Face.FRAGMENT else response
    response.headers.extend(headers)
    return response


def _response_parts(error: Exception) -> tuple[str, int, list[tuple[str, str]]]:
    if isinstance(error, WebChatError):
        status = STATUS.get(type(error), 500)
        if error.__cause__ and status >= 500:
            is_ordinary = isinstance(error.__cause__, MemoryFull)
            log.warning("%s %s: %s", request.method, request.path, error, exc_info=None if is_ordinary else error)
        wait = getattr(error, "wait", None) or RETRY_AFTER.get(type(error))
        headers = [("Retry-After", str(wait))] if wait else []
        if isinstance(error, NotSignedIn):
            headers.append(("WWW-Authenticate", "Bearer"))
        if isinstance(error, StorageError) and error.is_away:
            return str(error), 503, [("Retry-After", "5")]
        return str(error), status, headers
    if isinstance(error, OSError) and error.errno in NO_DESCRIPTORS:
        log.warning("%s %s: no descriptor left", request.method, request.path, exc_info=error)
        return "The server has too many files open. Try again in a few seconds.", 503, [("Retry-After", "5")]
    if isinstance(error, HTTPException) and (error.code or 500) < 500:
        code = error.code or 400
        # Werkzeug's own texts are for developers; ours are in the table or in the exception.
        own = error.description if error.description != type(error).description else None
        own_headers = error.get_headers() if code in (405, 429) else []
        text = _too_large() if code == 413 else TEXTS.get(code) or own or "This request is not valid."
        return text, code, [h for h in own_headers if h[0] in ("Allow", "Retry-After")]
    return str(unforeseen(error)), 500, []


def _too_large() -> str:
    return f"This is too large. A request may be {(request.max_content_length or 0) / MIB:g} MiB at most."


def _page(error: Exception, text: str, status: int, face: Face) -> str:
    session_id = (request.view_args or {}).get("session_id")
    gone, (draft, had_files) = _is_of_gone_chat(error), _given_back(error)
    if gone and face is Face.FRAGMENT:
        return str(pieces.welcome_partials(ended=str(session_id), unsent=bool(draft or had_files)))
    context: dict[str, object] = {
        "text": text,
        "status": status,
        "ended": isinstance(error, SessionEnded),
        "gone": gone,
        "until_live": _lasts_until_live(error),
        **_place(session_id, status),
        **(_missing(session_id, gone=gone) if isinstance(error, SessionNotFound) else {}),
        "draft": draft,
        "had_files": had_files,
        "in_chat": status == 404 and face is Face.FRAGMENT and _is_for_chat(session_id),
    }
    if isinstance(error, NotSignedIn | TooManyGuesses) and g.get("way_in") == "token" and face is not Face.FRAGMENT:
        context |= {"next": _way_back(), "asked": type(error) is not NotSignedIn}
        return render_template("webchat/sign_in.html", **context)
    seen = str(session_id), _field("seen") or (request.view_args or {}).get("message_id", "")
    if face is Face.FRAGMENT:
        also = pieces.newer_partials(*seen) if isinstance(error, StaleView) else _current_controls(error, session_id)
        return render_template("webchat/_error.html", **context) + also
    context |= pieces.newer_context(*seen) if isinstance(error, StaleView) else {}
    return render_template("webchat/error.html", **context)


def _current_controls(error: Exception, session_id: str | None) -> str:
    """If a choice was refused: the choices as they are, since the page shows those that were sent."""
    is_refused = isinstance(error, BackendUnavailable | InvalidInput) and (request.endpoint or "").endswith(".control")
    if not session_id or not is_refused:
        return ""
    session = manager().reader.find(session_id, owner())
    return str(pieces.controls_partial(session)) if session else ""


def _missing(session_id: str | None, *, gone: bool) -> dict[str, object]:
    """The text about the missing session of this address, and whether it is in the person's trash."""
    session = manager().store.deleted(session_id, owner()) if session_id and not gone else None
    if session:
        return {"text": DELETED.format(session.description), "deleted": True}
    return {"text": GONE if gone else NOT_FOUND}


def _place(session_id: str | None, status: int) -> dict[str, object]:
    """Where the error page leads back to: a session, the list of sessions, or neither."""
    is_below_list = (request.script_root + request.path).startswith(f"{link('sessions')}/")
    return {
        "session_id": session_id if status != 404 else None,
        "is_of_list": is_below_list and not session_id,
    }


def _lasts_until_live(error: Exception) -> bool:
    """Whether this is over once the page's stream is open again, or its next poll is answered."""
    is_regular = (request.endpoint or "").endswith((".events", "settings.models", ".import_progress"))
    return isinstance(error, NotAllowed | NotSignedIn) or is_regular


def _is_of_gone_chat(error: Exception) -> bool:
    """Whether the requesting page shows a temporary chat that has ended: further messages would not be saved."""
    is_marked = bool(_field("temporary") or request.args.get("temporary"))
    return is_marked and isinstance(error, SessionNotFound) and manager().temporary.are_offered


def _is_for_chat(session_id: str | None) -> bool:
    """Whether the error is shown on a page with the chat: what is typed there then goes along into a new session."""
    own = link("session", session_id=session_id) if session_id else None
    return page_address() in (link("index"), own)


def _given_back(error: Exception) -> tuple[str, bool]:
    """What the page offers to send again: the text, and whether it had files, which must be chosen again.

    Nothing if the message itself was rejected.
    """
    if isinstance(error, HTTPException) and not (error.code in REFUSED_BY_HOST and is_same_site(request)):
        return "", False
    return _field("message"), _has_files()


def _has_files() -> bool:
    try:
        return any(file.filename for file in request.files.getlist("file"))
    except HTTPException:
        return False


def _field(name: str) -> str:
    """A field of the submitted form; "" if it is missing or cannot be read."""
    try:
        return request.form.get(name, "")
    except HTTPException:
        return ""


def _way_back() -> str:
    """The page to continue with after signing in: the requested one, or the one whose form was sent."""
    session_id = (request.view_args or {}).get("session_id")
    if request.method == "GET":
        return request.script_root + (request.full_path.rstrip("?") if "token" not in request.args else request.path)
    return _field("next") or (link("session", session_id=session_id) if session_id else "")
