"""An agent's questions to the person: which one is open, and the answer to it."""

from __future__ import annotations

import re
from hashlib import sha256

from flask import Blueprint, redirect
from werkzeug.wrappers import Response as AnyResponse

from webchat.chat.message import Message
from webchat.chat.parts import Permission
from webchat.web import pieces
from webchat.web.context import manager, owner, session_link
from webchat.web.faces import script_answer
from webchat.web.htmx import fragments, is_htmx
from webchat.web.inputs import request_fields

_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.:-]*", re.ASCII)


def register(blueprint: Blueprint) -> None:
    """Give the blueprint this module's routes."""
    blueprint.post("/sessions/<session_id>/permissions/<path:name>", endpoint="answer")(answer)


def name_of(permission: Permission) -> str:
    """The question's name in addresses: its id, if that can stand there, since agents choose it."""
    return permission.id if _SAFE.fullmatch(permission.id) else sha256(permission.id.encode()).hexdigest()[:32]


def answer(session_id: str, name: str) -> AnyResponse:
    """Answer a question with one of its options. Raises what `answer_permission` raises."""
    option = request_fields().required("option", "Choose one of the answers.")
    last = manager().conversation(session_id, owner()).last
    asked = _named(last, name)
    permission_id = asked.id if asked else name  # which the manager refuses
    manager().answer_permission(session_id, permission_id, option, owner())
    told = script_answer({"session_id": session_id, "permission": permission_id, "option": option})
    if told:
        return told
    if not is_htmx():
        return redirect(f"{session_link(session_id)}#end", code=303)
    return fragments(pieces.shell_partials(manager().get_session(session_id, owner())))


def _named(message: Message | None, name: str) -> Permission | None:
    questions = message.questions if message else ()
    return next((asked for asked in questions if name in (asked.id, name_of(asked))), None)
