"""Edits messages: a question, which is then asked again, or an answer, whose new text then counts as the answer."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from webchat.chat.message import new_message_id
from webchat.web.api import message_fields
from webchat.web.context import client, manager, owner
from webchat.web.faces import script_answer
from webchat.web.form_answers import chat_answer, chat_answer_with
from webchat.web.htmx import is_htmx
from webchat.web.inputs import allow_files, request_fields
from webchat.web.saved_prompts import expanded
from webchat.web.streams import answering, reserve
from webchat.web.templates import render_template


def register(blueprint: Blueprint) -> None:
    address = "/sessions/<session_id>/messages/<message_id>/edit"
    blueprint.get(address, endpoint="edit")(edit)
    blueprint.post(address, endpoint="change")(change)


def edit(session_id: str, message_id: str) -> AnyResponse | str:
    """The form in which people edit a message."""
    shown = manager().get_session(session_id, owner())
    conversation = manager().reader.conversation(session_id)
    message = conversation.find(message_id)
    if message is None or conversation.last is None or not message.can_be_edited:
        raise NotFound("There is no such message in this session, or it cannot be changed.")
    page = "webchat/_edit.html" if is_htmx() else "webchat/edit.html"
    seen = None if is_htmx() else conversation.last.id  # a page with a stream sends its own `seen`
    return render_template(page, session=shown, message=message, key=new_message_id(), seen=seen)


def change(session_id: str, message_id: str) -> AnyResponse:
    """Replace a message's text; a question is then asked again."""
    allow_files()
    fields = request_fields()
    text, key, seen = fields.required("message", "Write a message first."), fields.key(), fields.optional("seen")
    message = manager().find_message(session_id, message_id, owner())
    if message is not None and message.role == "assistant":
        made = manager().edit_answer(session_id, message_id, text, owner(), key=key, seen=seen)
        edited = manager().find_message(session_id, made.id, owner()) or made
        return script_answer(message_fields(edited)) or chat_answer(manager().get_session(session_id, owner()))
    reserve()
    text = expanded(text, session_id)
    posted = manager().edit(session_id, message_id, text, owner(), key=key, seen=seen, client=client())
    return answering(posted) or chat_answer_with(posted)
