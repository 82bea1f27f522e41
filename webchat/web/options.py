"""Sets another model or system prompt for one session."""

from __future__ import annotations

from flask import Blueprint, Response
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from webchat.limits import CHOSEN
from webchat.replies.current_backend import options_of
from webchat.web import pieces
from webchat.web.context import manager, owner
from webchat.web.faces import json_answer, script_answer, to_end
from webchat.web.htmx import fragments, is_htmx
from webchat.web.inputs import request_fields


def register(blueprint: Blueprint) -> None:
    blueprint.post("/sessions/<session_id>/options", endpoint="options")(choose)
    blueprint.get("/sessions/<session_id>/models", endpoint="models")(models)


def choose(session_id: str) -> AnyResponse:
    """An empty field resets to the default; a missing one stays."""
    fields = request_fields()
    given = {name: text for name in CHOSEN if (text := fields.setting(name)) is not None}
    session = manager().set_options(session_id, given, owner())
    if is_htmx():
        return fragments(pieces.hint_partial(session))
    chosen = options_of(session, CHOSEN)
    body = {"model": chosen.model, "system_prompt": chosen.system_prompt, "answers": manager().label_of(session)}
    return script_answer({"session_id": session_id, **body}) or to_end(session_id)


def models(session_id: str) -> Response:
    """The models that the session may use: as JSON, or for htmx as the options of its field."""
    manager().get_session(session_id, owner())
    names = manager().list_models()
    if not is_htmx():
        return json_answer({"models": names})
    return fragments(*(Markup('<option value="{}"></option>\n').format(name) for name in names))
