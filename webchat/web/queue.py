"""The routes of queued messages: edit, take back, send now; and stop, which takes all of them back."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.wrappers import Response as AnyResponse

from webchat.web import pieces
from webchat.web.api import session_fields
from webchat.web.context import manager, owner
from webchat.web.faces import answer_without_htmx, is_script, script_answer, to_end
from webchat.web.htmx import fragments, is_htmx, partial
from webchat.web.inputs import request_fields
from webchat.web.queued import queue_context, queue_partials, queued_fields, returned_fields
from webchat.web.saved_prompts import expanded
from webchat.web.streams import answering, reserve


def register(blueprint: Blueprint) -> None:
    place = "/sessions/<session_id>/queue/<key>"
    blueprint.post(place, endpoint="change_queued")(change)
    blueprint.post(f"{place}/remove", endpoint="take_back")(take_back)
    blueprint.post(f"{place}/send", endpoint="send_queued")(send)
    blueprint.post("/sessions/<session_id>/stop", endpoint="stop")(stop)


def after_queueing(session_id: str) -> AnyResponse:
    """The queued messages, or a redirect."""
    if not is_htmx():
        return to_end(session_id)
    session, conversation = manager().get_session(session_id, owner()), manager().reader.conversation(session_id)
    return fragments(queue_partials(queue_context(session, conversation)))


def change(session_id: str, key: str) -> AnyResponse:
    """Edit a queued message."""
    message = expanded(request_fields().required("message", "Write a message first."), session_id)
    item = manager().queue.change(session_id, key, message, owner())
    return script_answer({"session_id": session_id, **queued_fields(item)}) or after_queueing(session_id)


def take_back(session_id: str, key: str) -> AnyResponse:
    """Take a queued message back. On a page its text returns to the message field; a script gets it in the response."""
    item = manager().queue.take_back(session_id, key, owner(), keep=not is_script())
    return script_answer({"session_id": session_id, **queued_fields(item)}) or after_queueing(session_id)


def send(session_id: str, key: str) -> AnyResponse:
    """Send a held message."""
    reserve()
    posted = manager().queue.send_now(session_id, key, owner())
    response = answering(posted)
    if response or not is_htmx():
        return response or to_end(session_id)
    shown = pieces.chat_part(posted.session, "", note_above=True)
    return fragments(partial("chatArea", "outerHTML", shown), pieces.shell_partials(posted.session))


def stop(session_id: str) -> AnyResponse:
    """Stop the answer; queued messages return to the field."""
    manager().stop(session_id, owner())
    session = manager().get_session(session_id, owner())
    body = {**session_fields(session), "returned": returned_fields(session_id)}
    if response := answer_without_htmx(session_id, body):
        return response
    conversation = manager().reader.conversation(session_id)
    last = conversation.last
    article = pieces.article_partial(last, conversation, session_id) if last else ""
    return fragments(article, queue_partials(queue_context(session, conversation)))
