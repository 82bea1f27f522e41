"""Queued messages, as pages and scripts send and see them. Knows no route."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from markupsafe import Markup

from webchat.chat.conversation import Conversation
from webchat.chat.queued import QueuedMessage
from webchat.errors import InvalidInput
from webchat.manager import Files
from webchat.replies.posted import Posted
from webchat.session_store import WebChatSession
from webchat.web.context import client, has_gone, manager, owner
from webchat.web.htmx import partial
from webchat.web.inputs import request_fields
from webchat.web.templates import render_template


def post_or_queue(session_id: str, message: str, files: Files) -> Posted | QueuedMessage:
    """Send or queue a form's message; what was taken back into its field is dropped."""
    fields, queue = request_fields(), manager().queue
    files = [*files, *queue.files_of(session_id, fields.several("keep"), owner())]
    key, seen, back = fields.key(), fields.optional("seen"), fields.several("back")
    return queue.send(session_id, message, owner(), key=key, seen=seen, files=files, client=client(), back=back)


def post_or_wait(session_id: str, message: str, files: Files = ()) -> Posted:
    """Send a script's message; with `queue` it waits for its turn if an answer is being written."""
    fields = request_fields()
    key, seen, queue = fields.key(), fields.optional("seen"), fields.optional("queue")
    if queue not in (None, "on"):
        raise InvalidInput("queue must be on, or be left out.")
    if not queue:
        return manager().post_message(session_id, message, owner(), key=key, seen=seen, files=files, client=client())
    back, send = fields.several("back"), manager().queue.send
    sent = send(session_id, message, owner(), key=key, seen=seen, files=files, client=client(), back=back)
    if isinstance(sent, QueuedMessage):
        return manager().queue.wait(session_id, sent.key, owner(), has_gone())
    return sent


def queue_context(session: WebChatSession, conversation: Conversation) -> dict[str, Any]:
    """What `_queue.html` and `_returned.html` need; `draft` is the message field's initial text."""
    queue = manager().queue
    returned = queue.returned(session.session_id)
    queued = _waiting(session.session_id, conversation)
    return {
        "session": session,
        "queued": queued,
        "returned": returned,
        "draft": "\n\n".join(item.text for item in returned),
        "queue_state": sha256(repr((queued, returned)).encode()).hexdigest()[:12] if queued or returned else None,
    }


def queue_partials(context: dict[str, Any]) -> Markup:
    """The queued messages and those taken back, as swaps."""
    queue = partial("queue", "outerMorph", render_template("webchat/_queue.html", **context))
    return queue + partial("returned", "outerMorph", render_template("webchat/_returned.html", **context))


def queue_fields(session_id: str, conversation: Conversation) -> list[dict[str, object]]:
    """All queued messages, for a script."""
    return [queued_fields(item) for item in _waiting(session_id, conversation)]


def returned_fields(session_id: str) -> list[dict[str, object]]:
    """The messages that were taken back, for a script."""
    return [queued_fields(item) for item in manager().queue.returned(session_id)]


def queued_fields(item: QueuedMessage) -> dict[str, object]:
    """One queued message, for a script."""
    files = [{"name": file.name, "size": file.size} for file in item.files]
    files += [{"name": picture.name, "size": picture.size} for picture in item.pictures]
    return {"key": item.key, "text": item.text, "files": files, "created_at": item.created_at}


def _waiting(session_id: str, conversation: Conversation) -> list[QueuedMessage]:
    """The queued messages without one that is being sent and already in the conversation."""
    sent = {message.key for message in conversation.messages[-2:]}
    return [item for item in manager().queue.items(session_id) if item.key not in sent]
