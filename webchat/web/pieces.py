"""Renders the partials of views and streams. A partial is rendered here or in another partial, nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from functools import partial as bind
from typing import Any

from markupsafe import Markup

from webchat.chat.conversation import Conversation, Status
from webchat.chat.message import Message, new_message_id
from webchat.chat.messages import Messages
from webchat.chat.parts import Usage
from webchat.chat.texts import TEMPORARY_TITLE
from webchat.session_store import WebChatSession
from webchat.web.bodies import Body
from webchat.web.cards import parts_html
from webchat.web.context import chat_of, manager, owner
from webchat.web.htmx import PARTIAL_END, is_htmx, partial, partial_begin
from webchat.web.parts import has_effects, usage_of
from webchat.web.queued import queue_context
from webchat.web.templates import render_template
from webchat.web.window import EARLIER_SHOWN, Window, window

WAITING = "Waiting for you"
START = "start"
"""The anchor of an empty session, and the value of `seen` for a page without messages."""


def chat_part(session: WebChatSession, note: str, *, note_above: bool, at: str = "") -> str:
    """The chat of one session, with a note about the last action above or below its messages; `at` is one to show."""
    return render_template("webchat/_chat.html", **chat_context(session, at=at), note=note, note_above=note_above)


def welcome_partials(ended: str = "", *, unsent: bool = False) -> Markup:
    """The welcome in place of a session's chat, with badge and title.

    `ended` is the id of a temporary chat that has ended while somebody may be typing: the page says so, and the typed
    message starts another one. `unsent`: a message came too late.
    """
    chat = render_template("webchat/_chat.html", **chat_context(None), ended=ended, unsent=unsent)
    return partial("chatArea", "outerHTML", chat) + shell_partials(None)


def kept_partials(session: WebChatSession) -> Markup:
    """A session in place of the temporary chat from which it was kept."""
    return session_partials(session, f"Kept as session {session.short_id}")


def session_partials(session: WebChatSession, note: str = "") -> Markup:
    """A session in place of the chat or the welcome that the page shows, with badge and title."""
    chat = chat_part(session, note, note_above=True)
    return partial("chatArea", "outerHTML", chat) + shell_partials(session)


def after_temporary(session: WebChatSession | None, session_id: str) -> Markup:
    """What replaces a temporary chat: the session that was kept of it, or the welcome."""
    return kept_partials(session) if session else welcome_partials(ended=session_id)


def chat_context(session: WebChatSession | None, *, show: int = 0, at: str = "") -> dict[str, Any]:
    """The context of `_chat.html` and the page around it."""
    conversation = manager().reader.conversation(session.session_id) if session else Conversation()
    shown = window(conversation.messages, show, at)
    return {
        "session": session,
        **window_context(shown, conversation),
        "damaged": conversation.damaged,
        "newer": conversation.newer,
        "position": conversation.position,
        **(queue_context(session, conversation) if session else {}),
        "key": new_message_id(),
        "seen": conversation.last.id if conversation.last else START,
        "usage": usage_of(conversation.messages),
        "working_for": manager().programs.working_for(session.session_id) if session and session.program else [],
        "notices": conversation.notices,
    }


def window_context(shown: Window, conversation: Conversation) -> dict[str, Any]:
    """The context of `_earlier.html`: the messages, and links to those that are not shown."""
    return {
        "messages": [message_context(message, conversation) for message in shown.messages],
        "earlier": shown.earlier,
        "between": shown.between,
        "gap": shown.gap,
    }


def newer_context(session_id: str, seen: str) -> dict[str, Any]:
    """The messages after `seen`, which the page does not show yet, and the id of the last one."""
    conversation = manager().reader.conversation(session_id)
    newer = conversation.messages[len(conversation.up_to(seen)) :][-EARLIER_SHOWN:]
    last = conversation.last.id if conversation.last else ""
    return {"messages": [message_context(message, conversation) for message in newer], "seen": last}


def newer_partials(session_id: str, seen: str) -> Markup:
    """The same for htmx: appended, or in place of all messages if the page's branch is no longer shown."""
    conversation = manager().reader.conversation(session_id)
    newer = conversation.messages[len(conversation.up_to(seen)) :]
    if not newer:
        return Markup()
    if seen == START or len(newer) < len(conversation.messages):
        return added_partial(newer, conversation, session_id) + seen_partial(newer[-1])
    messages = messages_part(manager().get_session(session_id, owner()))
    return partial("messages", "outerHTML", messages) + seen_partial(newer[-1])


def messages_part(session: WebChatSession, *, at: str = "") -> str:
    """The messages alone; `at` is one to show."""
    return render_template("webchat/_messages.html", **chat_context(session, at=at))


def message_context(message: Message, conversation: Conversation, body: Body | None = None) -> dict[str, Any]:
    """The context of `_message.html`. `body` is given if the caller needs exactly that state, or if it is kept."""
    is_last = conversation.last is not None and message.id == conversation.last.id
    return {
        "message": message,
        "body": body or (None if message.parts else chat_of().renderings.body(message)),
        "parts": bind(parts_html, message, body=body) if message.parts else None,
        "effects": has_effects(message),
        "status": conversation.status if is_last else None,
        "is_last": is_last,
        "program": conversation.program,
        # A frame for browsers without JavaScript. In a fragment that htmx inserts it would be loaded.
        "framed": not is_htmx(),
    }


def message_html(message: Message, conversation: Conversation, session_id: str, body: Body | None = None) -> str:
    """One message's article."""
    context = message_context(message, conversation, body)
    return render_template("webchat/_message.html", session_id=session_id, **context)


def article_partial(message: Message, conversation: Conversation, session_id: str, body: Body | None = None) -> Markup:
    """One message's article, morphed into the one on the page."""
    return partial(f"m-{message.id}", "outerMorph", message_html(message, conversation, session_id, body))


def added_partial(messages: Sequence[Message], conversation: Conversation, session_id: str) -> Markup:
    """Consecutive messages that replace the anchor after the message before them; without that anchor nothing happens.

    All come as one swap: htmx finds all targets of a response before its first swap. Only the last one leaves an
    anchor: at an anchor in between a stream would insert the later messages again.
    """
    shown = conversation.up_to(messages[0].id)
    before = shown[-2].id if len(shown) > 1 else messages[0].parent or START
    articles = "".join(message_html(each, conversation, session_id) for each in messages)
    return partial(f"after-{before}", "outerHTML", articles + anchor(messages[-1]))


def exchange_parts(
    question: Message, session_id: str, answer: Callable[[], tuple[Message, Status | None]]
) -> Iterator[str]:
    """The same for a question at the end and its answer, in two parts: `answer` is called after the first is sent."""
    asked = message_html(question, Conversation(), session_id)
    yield partial_begin(f"after-{question.parent or START}", "outerHTML") + asked
    message, status = answer()
    end = Conversation(Messages([question, message]), status=status)
    yield message_html(message, end, session_id) + anchor(message) + PARTIAL_END + str(seen_partial(message))


def anchor(message: Message) -> str:
    """The anchor at which the next message is inserted."""
    return f'<div id="after-{message.id}"></div>'


def seen_partial(message: Message) -> Markup:
    """The composer's `seen` field: the id of the last message on its page."""
    return partial("seen", "outerHTML", render_template("webchat/_seen.html", seen=message.id))


def hint_partial(session: WebChatSession) -> Markup:
    """The line below the composer: which model answers this session, and its options."""
    return partial("hint", "outerHTML", render_template("webchat/_hint.html", session=session, usage=usage_in(session)))


def usage_in(session: WebChatSession) -> Usage | None:
    return usage_of(manager().reader.conversation(session.session_id).messages)


def usage_partial(usage: Usage) -> Markup:
    """The conversation's usage of the model's context, beside the model's name."""
    return partial("contextUsed", "outerHTML", render_template("webchat/_usage.html", usage=usage))


def lost_partial(why: str) -> Markup:
    """The line that the page shows when its stream is lost, with the reason."""
    return partial("reconnecting", "outerHTML", render_template("webchat/_reconnecting.html", lost_for=why))


def controls_partial(session: WebChatSession) -> Markup:
    """The session's controls, replaced as a whole: a select that a person has changed ignores new selected options."""
    return partial("controls", "outerHTML", render_template("webchat/_controls.html", session=session))


def new_session_partial(session: WebChatSession) -> Markup:
    """The folder and agent of a session that has not begun; nothing once it has."""
    return partial("newSession", "outerHTML", render_template("webchat/_new_session.html", session=session))


@lru_cache(maxsize=256)
def status_html(status: Status | None) -> str:
    return render_template("webchat/_status.html", status=status)


def shell_partials(session: WebChatSession | None) -> Markup:
    """The parts outside the chat that depend on the session: badge and title."""
    title = Markup("<title>{}</title>\n").format(page_title(session))
    return partial("badge", "outerMorph", badge_html(session)) + title


def badge_html(session: WebChatSession | None) -> str:
    """The session in the header: its title, and whether it is the current one."""
    return render_template("webchat/_badge.html", session=session)


def page_title(session: WebChatSession | None) -> str:
    """The title of a session's page, which says if there is an open question."""
    title = chat_of().title
    # Browsers store titles in their history.
    own = TEMPORARY_TITLE if session and session.temporary else session.description if session and session.begun else ""
    named = f"{own} · {title}" if own else title
    return f"{WAITING} · {named}" if session and _is_asking(session) else named


def _is_asking(session: WebChatSession) -> bool:
    last = manager().reader.conversation(session.session_id).last
    return last is not None and bool(last.questions)
