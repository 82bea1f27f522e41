"""An agent's questions: which one is open, and its answer."""

from __future__ import annotations

from flask import Blueprint, Response
from werkzeug.wrappers import Response as AnyResponse

from webchat.chat.message import Message
from webchat.chat.parts import Permission
from webchat.web import pieces
from webchat.web.cards import item_html
from webchat.web.context import manager, owner
from webchat.web.faces import answer_without_htmx, json_answer
from webchat.web.htmx import fragments, partial
from webchat.web.inputs import request_fields
from webchat.web.parts import asked_in, name_of, waiting_fields


def register(blueprint: Blueprint) -> None:
    blueprint.get("/sessions/<session_id>/waiting", endpoint="waiting")(waiting)
    blueprint.post("/sessions/<session_id>/permissions/<path:name>", endpoint="answer")(answer)


def waiting(session_id: str) -> Response:
    """The session's open question as JSON, with the page's title, for a page in the background without a stream."""
    session = manager().get_session(session_id, owner())
    last = manager().reader.conversation(session_id).last
    return json_answer({"title": pieces.page_title(session), "waiting": waiting_fields(last)})


def answer(session_id: str, name: str) -> AnyResponse:
    """Answer a question with one of its options. Raises the exceptions of `answer_permission`."""
    option = request_fields().required("option", "Choose one of the answers.")
    last = manager().conversation(session_id, owner()).last
    asked = _named(last, name)
    permission_id = asked.id if asked else name  # the manager refuses an unknown question
    manager().answer_permission(session_id, permission_id, option, owner())
    body: dict[str, object] = {"session_id": session_id, "permission": permission_id, "option": option}
    if response := answer_without_htmx(session_id, body):
        return response
    return fragments(
        _card(session_id, permission_id), pieces.shell_partials(manager().get_session(session_id, owner()))
    )


def _card(session_id: str, permission_id: str) -> str:
    """The card with the question, as it is now."""
    last = manager().reader.conversation(session_id).last
    item = asked_in(last, permission_id) if last else None
    if last is None or item is None:
        return ""
    return partial(f"p-{last.id}-{item.number}", "outerMorph", item_html(last, item, session_id))


def _named(message: Message | None, name: str) -> Permission | None:
    questions = message.questions if message else ()
    return next((asked for asked in questions if name in (asked.id, name_of(asked))), None)
