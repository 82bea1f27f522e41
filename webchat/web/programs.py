"""Continues other programs' conversations here."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.wrappers import Response as AnyResponse

from webchat.errors import InvalidInput
from webchat.web.context import manager, owner
from webchat.web.form_answers import chat_answer
from webchat.web.inputs import request_fields


def register(blueprint: Blueprint) -> None:
    blueprint.post("/sessions/<session_id>/copy", endpoint="copy")(copy)


def copy(session_id: str) -> AnyResponse:
    """A new session with a copy of all shown messages of another one, which may be another program's."""
    last = manager().conversation(session_id, owner()).last
    if last is None:
        raise InvalidInput("There are no messages in this session yet.")
    made = manager().fork(session_id, last.id, owner(), key=request_fields().key())
    return chat_answer(made, note="Copied into a new session")
