"""Responses to the chat's forms: the session's chat, or the messages that were added. Knows no route."""

from __future__ import annotations

from itertools import chain

from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from webchat.chat.conversation import Status
from webchat.chat.message import Message
from webchat.replies.posted import Posted
from webchat.session_store import WebChatSession
from webchat.web import pieces
from webchat.web.api import session_fields
from webchat.web.context import chat_of, hint_version, manager, owner, session_link
from webchat.web.faces import answer_without_htmx, to_end
from webchat.web.htmx import fragments, is_htmx, streamed
from webchat.web.inputs import request_fields
from webchat.web.session_list import list_partial

STARTED = "New session started"


def chat_answer(
    shown: WebChatSession, note: str = "", *, note_above: bool = False, with_list: bool = True, at: str = ""
) -> AnyResponse:
    """The session's chat after a change, with badge and usually the list in one response; a redirect without htmx.

    `at` is the message that the change is about, unless that is the last one.
    """
    url = session_link(shown.session_id)
    if response := answer_without_htmx(shown.session_id, session_fields(shown), at):
        return response
    if shown.temporary and note == STARTED:
        note = "Temporary chat started"
    elif note:
        note = f"{note} {shown.short_id}"
    parts = [pieces.chat_part(shown, note, note_above=note_above, at=at), pieces.shell_partials(shown)]
    return fragments(*parts, *([list_partial()] if with_list else []), push=url)


def chat_answer_with(posted: Posted, note: str = "") -> AnyResponse:
    """The session's chat with an answer that has just begun. The page's stream updates an open list."""
    if is_htmx():
        posted.wait_for_text(chat_of().times.first_text)
    return chat_answer(posted.session, note=note, note_above=True, with_list=False)


def messages_answer(session_id: str, *added: Message, posted: Posted | None = None) -> AnyResponse:
    """The new messages and what they change in the composer, or a redirect."""
    if not is_htmx():
        return to_end(session_id)
    if posted and posted.run:
        return _begun(session_id, posted)
    conversation = manager().reader.conversation(session_id)
    now = [conversation.find(message.id) or message for message in added]
    messages = pieces.added_partial(now, conversation, session_id)
    hint = _changed_hint(manager().get_session(session_id, owner()))
    return fragments(messages, pieces.seen_partial(conversation.last or now[-1]), hint)


def _begun(session_id: str, posted: Posted) -> AnyResponse:
    """A question at the end of a session, and its answer as far as it has come."""

    def answer() -> tuple[Message, Status | None]:
        # Anything sent before this reaches the browser while the model is at work.
        posted.wait_for_text(chat_of().times.first_text)
        return posted.answer, posted.status

    exchange = pieces.exchange_parts(posted.question, session_id, answer)
    return streamed(chain(exchange, [_changed_hint(posted.session)]))


def _changed_hint(session: WebChatSession) -> Markup:
    """The line below the composer, if the form's page shows an outdated one."""
    shown = request_fields().optional("hint")
    return pieces.hint_partial(session) if shown not in (None, hint_version(session)) else Markup()
