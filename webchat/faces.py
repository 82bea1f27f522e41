"""Which face of an answer is wanted: a page, a fragment for htmx, JSON, plain text, or an event stream."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

from flask import Response, request

from webchat.htmx import is_htmx


class Face(Enum):
    PAGE = "text/html"
    FRAGMENT = "fragment"
    JSON = "application/json"
    TEXT = "text/plain"
    EVENTS = "text/event-stream"


def wanted_face() -> Face:
    """What the request accepts best. A request without a preference gets JSON under /api/, else what a browser gets."""
    if is_htmx():
        return Face.FRAGMENT
    offered = [Face.PAGE, Face.JSON, Face.TEXT, Face.EVENTS]
    # By the view's name where there is one: the chat may be mounted below a prefix like /api/ itself.
    view = (request.endpoint or "").rpartition(".")[2]
    if view.startswith("api_") if view else "/api/" in request.path:
        offered = [Face.JSON, Face.TEXT, Face.EVENTS]
    best = request.accept_mimetypes.best_match([face.value for face in offered], default=offered[0].value)
    return Face(best)


def json_answer(body: dict[str, Any], status: int = 200) -> Response:
    """An answer in JSON, written in one way everywhere."""
    return Response(json.dumps(body, ensure_ascii=False) + "\n", status, mimetype="application/json")
