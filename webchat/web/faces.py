"""The format that a request accepts: a page, a fragment for htmx, JSON, plain text, or an event stream."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from webchat.errors import NoActiveSession, SessionEnded
from webchat.web.context import link, session_link
from webchat.web.htmx import is_htmx
from webchat.web.once import once_a_request


class Face(Enum):
    PAGE = "text/html"
    FRAGMENT = "fragment"
    JSON = "application/json"
    TEXT = "text/plain"
    EVENTS = "text/event-stream"


@once_a_request
def wanted_face() -> Face:
    """The preferred format of the request. Without a preference it is JSON under /api/, else a page."""
    if is_htmx():
        return Face.FRAGMENT
    offered = [Face.PAGE, Face.JSON, Face.TEXT, Face.EVENTS]
    # By the view's name, if there is one: the chat itself may be mounted below a prefix like /api/.
    view = (request.endpoint or "").rpartition(".")[2]
    if view.startswith("api_") if view else "/api/" in request.path:
        offered = [Face.JSON, Face.TEXT, Face.EVENTS]
    best = request.accept_mimetypes.best_match([face.value for face in offered], default=offered[0].value)
    return Face(best)


def script_answer(body: dict[str, Any]) -> Response | None:
    """The response to a script after an action, in the format that it accepts; None for a page.

    As text it has a line for each field; as an event stream it has one event, `done`, with the JSON.
    """
    face = wanted_face()
    if face is Face.JSON:
        return json_answer(body)
    if face is Face.TEXT:
        lines = (f"{name}: {_as_text(value)}\n" for name, value in body.items())
        return Response("".join(lines), mimetype=face.value)
    if face is Face.EVENTS:
        return Response(f"event: done\ndata: {json.dumps(body, ensure_ascii=False)}\n\n", mimetype=face.value)
    return None


def answer_without_htmx(session_id: str, body: dict[str, Any], at: str = "") -> AnyResponse | None:
    """The response to something that was done in a session; None for htmx.

    A script's, or a redirect to the session's end or to the message `at`.
    """
    if response := script_answer(body):
        return response
    if is_htmx():
        return None
    return redirect(link("session", session_id=session_id, at=at, _anchor=f"m-{at}"), 303) if at else to_end(session_id)


def to_end(session_id: str) -> AnyResponse:
    """A redirect to the end of the session's page."""
    return redirect(f"{session_link(session_id)}#end", code=303)


def error_fields(error: Exception, text: str) -> dict[str, object]:
    """The fields of an error for a script; they say if the reason is that no session is connected."""
    connection = {"session_connected": False} if isinstance(error, NoActiveSession | SessionEnded) else {}
    return {"error": text, **connection}


def is_script() -> bool:
    """Whether the request comes from a script."""
    return wanted_face() in (Face.JSON, Face.TEXT, Face.EVENTS)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def json_answer(body: dict[str, Any], status: int = 200) -> Response:
    """A response in JSON, formatted the same everywhere."""
    return Response(json.dumps(body, ensure_ascii=False) + "\n", status, mimetype="application/json")
