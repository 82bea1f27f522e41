"""The partials that views and streams put together. A partial is rendered here or in another partial, nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from functools import partial as bind
from itertools import groupby
from typing import Any

from markupsafe import Markup

from webchat.chat.conversation import Conversation, Status
from webchat.chat.message import Message, new_message_id
from webchat.chat.search import Hit
from webchat.errors import StorageError
from webchat.session_store import WebChatSession
from webchat.storage.protocols import Shelf
from webchat.web.bodies import Body
from webchat.web.cards import parts_html
from webchat.web.context import DAYS, chat_of, day_group, link, local_time, manager, owner
from webchat.web.htmx import is_htmx, partial
from webchat.web.parts import has_effects, usage_of
from webchat.web.queued import queue_context
from webchat.web.templates import render_template
from webchat.web.window import EARLIER_SHOWN, Window, window

SESSIONS_SHOWN = 50
HITS_SHOWN = 30
"""Sessions at most that are shown for what was said in them."""
WAITING = "Waiting for you"
START = "start"
"""The name of the anchor in an empty session, which no message has left; who has seen that has seen no message."""


@dataclass(frozen=True)
class Group:
    """A heading of the list, and the sessions below it."""

    name: str
    sessions: tuple[WebChatSession, ...]


@dataclass(frozen=True)
class SaidIn:
    """A session, and a message in it that was searched for."""

    session: WebChatSession
    hit: Hit

    @property
    def is_title(self) -> bool:
        """Whether it is where the session's title was taken from."""
        return (self.hit.before + self.hit.match + self.hit.after).startswith(self.session.description.rstrip("…"))


def chat_part(session: WebChatSession, note: str, *, note_above: bool) -> str:
    """The chat of one session, with a note of what was done above its messages or below."""
    return render_template("webchat/_chat.html", **chat_context(session), note=note, note_above=note_above)


def welcome_part() -> str:
    """The chat of no session."""
    return render_template("webchat/_chat.html", **chat_context(None))


def chat_context(session: WebChatSession | None, *, show: int = 0, at: str = "") -> dict[str, Any]:
    """What `_chat.html` needs, and with it the page around."""
    conversation = chat_of().manager.read_conversation(session.session_id) if session else Conversation()
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
    }


def window_context(shown: Window, conversation: Conversation) -> dict[str, Any]:
    """What `_earlier.html` needs: the messages, and the links to those that are not shown."""
    return {
        "messages": [message_context(message, conversation) for message in shown.messages],
        "earlier": shown.earlier,
        "between": shown.between,
        "gap": shown.gap,
    }


def newer_context(session_id: str, seen: str) -> dict[str, Any]:
    """The messages behind `seen`, for a page that did not show them, and the last of them."""
    conversation = chat_of().manager.read_conversation(session_id)
    newer = conversation.messages[len(conversation.up_to(seen)) :][-EARLIER_SHOWN:]
    last = conversation.last.id if conversation.last else ""
    return {"messages": [message_context(message, conversation) for message in newer], "seen": last}


def newer_partials(session_id: str, seen: str) -> Markup:
    """The same for a page with a script: put behind what it shows, or in its place where that is no longer shown."""
    manager = chat_of().manager
    conversation = manager.read_conversation(session_id)
    newer = conversation.messages[len(conversation.up_to(seen)) :]
    if not newer:
        return Markup()
    if seen == START or len(newer) < len(conversation.messages):
        return added_partial(newer, conversation, session_id) + seen_partial(newer[-1])
    messages = messages_part(manager.get_session(session_id, owner()))
    return partial("messages", "outerHTML", messages) + seen_partial(newer[-1])


def messages_part(session: WebChatSession) -> str:
    """The messages alone."""
    return render_template("webchat/_messages.html", **chat_context(session))


def message_context(message: Message, conversation: Conversation, body: Body | None = None) -> dict[str, Any]:
    """What `_message.html` needs. `body` is given where the caller goes on from just that state of it."""
    is_last = conversation.last is not None and message.id == conversation.last.id
    return {
        "message": message,
        "body": None if message.parts else body or chat_of().renderings.body(message),
        "parts": bind(parts_html, message, body=body) if message.parts else None,
        "usage": usage_of(message),
        "effects": has_effects(message),
        "status": conversation.status if is_last else None,
        "is_last": is_last,
        # A frame for whoever has no script: in a fragment, which a script puts in, it would really load.
        "framed": not is_htmx(),
    }


def message_html(message: Message, conversation: Conversation, session_id: str, body: Body | None = None) -> str:
    """One message's article."""
    context = message_context(message, conversation, body)
    return render_template("webchat/_message.html", session_id=session_id, **context)


def article_partial(message: Message, conversation: Conversation, session_id: str, body: Body | None = None) -> Markup:
    """One message's article over the one that is there; what has not changed in it stays untouched."""
    return partial(f"m-{message.id}", "outerMorph", message_html(message, conversation, session_id, body))


def added_partial(
    messages: Sequence[Message], conversation: Conversation, session_id: str, rendered: Sequence[str] = ()
) -> Markup:
    """Messages in a row, in the place of the anchor that the one before them left; without it nothing happens.

    `rendered` are the first articles, where the caller has them. All come as one swap: htmx looks for all of an
    answer's targets before it puts the first part in. Only the last leaves an anchor: at one between them a stream
    would put in again what stands behind it.
    """
    shown = conversation.up_to(messages[0].id)
    before = shown[-2].id if len(shown) > 1 else messages[0].parent or START
    articles = [*rendered, *(message_html(each, conversation, session_id) for each in messages[len(rendered) :])]
    html = f'{"".join(articles)}<div id="after-{messages[-1].id}"></div>'
    return partial(f"after-{before}", "outerHTML", html)


def seen_partial(message: Message) -> Markup:
    """What the composer says that its page has seen."""
    return partial("seen", "outerHTML", render_template("webchat/_seen.html", seen=message.id))


def hint_partial(session: WebChatSession) -> Markup:
    """The line below the composer: which model answers this session, and its options."""
    return partial("hint", "outerHTML", render_template("webchat/_hint.html", session=session))


def controls_partial(session: WebChatSession) -> Markup:
    """What can be chosen for the session, anew: a select that a person has changed does not follow its options."""
    return partial("controls", "outerHTML", render_template("webchat/_controls.html", session=session))


@lru_cache(maxsize=256)
def status_html(status: Status | None) -> str:
    return render_template("webchat/_status.html", status=status)


def shell_partials(session: WebChatSession | None) -> Markup:
    """What stands around the chat and depends on its session: badge and title."""
    badge = render_template("webchat/_badge.html", session=session)
    return partial("badge", "outerHTML", badge) + Markup("<title>{}</title>\n").format(page_title(session))


def page_title(session: WebChatSession | None) -> str:
    """The title of a session's page, which says so if somebody is asked something there."""
    title = chat_of().title
    named = f"{session.description} · {title}" if session and session.begun else title
    return f"{WAITING} · {named}" if session and _is_asking(session) else named


def _is_asking(session: WebChatSession) -> bool:
    last = chat_of().manager.read_conversation(session.session_id).last
    return last is not None and bool(last.questions)


def list_part(query: str = "", page: int = 0, folder: str | None = None, by: str = "") -> str:
    """The rows of the sessions list, newest first, 50 at a time."""
    return render_template("webchat/_session_list.html", **list_context(query, page, folder=folder, by=by))


def list_context(
    query: str = "", page: int = 0, show: str = "", folder: str | None = None, by: str = ""
) -> dict[str, Any]:
    """What `_session_list.html` needs; `by` "folder" has a heading for each folder."""
    sessions, has_more = listed(query, page, show, folder, by)
    hits, complete, partial = said(query, sessions, folder) if page == 0 and not show else ([], True, False)
    current = chat_of().manager.active_session(owner())
    return {
        "hits": hits,
        "complete": complete,
        "partial": partial,
        "groups": _by_folder(sessions) if by else _groups(sessions, show),
        "folder": folder,
        "by": by,
        "has_folders": any(session.working_dir != "~" for session in sessions),
        "here": current.working_dir if current and current.working_dir != "~" else None,
        "waiting": waiting(),
        "query": query,
        "page": page,
        "show": show,
        "more": link("sessions", page=page + 1, q=query or None, show=show or None, folder=folder, by=by or None)
        if has_more
        else None,
        "notice": manager().store.notice,
    }


def waiting() -> frozenset[str]:
    """The ids of the sessions in which somebody is asked something, as far as that can be read."""
    with suppress(StorageError):
        return chat_of().manager.waiting_for_answers()
    return frozenset()


def list_partial() -> Markup:
    """The rows of the dropdown, anew."""
    return partial("sessionList", "outerHTML", list_part())


def listed(
    query: str = "", page: int = 0, show: str = "", folder: str | None = None, by: str = ""
) -> tuple[list[WebChatSession], bool]:
    """One page of the list, and whether there are more: what is pinned first, then the newest.

    `show` is "" for the list, "archived" or "trash"; with `folder` only what works there. Sessions without a message
    are hidden, but for the current.
    """
    shelf: Shelf = "trash" if show == "trash" else "archive" if show else "both" if query.strip() else "list"
    start = page * SESSIONS_SHOWN
    found = chat_of().manager.list_page(
        shelf, query, start, SESSIONS_SHOWN + 1, owner(), folder, by_folder=by == "folder"
    )
    return found[:SESSIONS_SHOWN], len(found) > SESSIONS_SHOWN


def said(query: str, titled: Sequence[WebChatSession], folder: str | None = None) -> tuple[list[SaidIn], bool, bool]:
    """The sessions in which that was said, whether the index is up to date, and whether only part was looked at.

    Those that have it in their title come last, and not where what was said is the message that the title is from.
    """
    if not query.strip():
        return [], True, False
    manager, beside = chat_of().manager, {session.session_id for session in titled}
    hits, complete, partial = manager.search(query, HITS_SHOWN + len(beside), owner(), folder)
    said_in = [SaidIn(manager.get_session(hit.session_id, owner()), hit) for hit in hits]
    others = [item for item in said_in if item.hit.session_id not in beside]
    others += [item for item in said_in if item.hit.session_id in beside and not item.is_title]
    return others[:HITS_SHOWN], complete, partial


def _groups(sessions: list[WebChatSession], show: str) -> list[Group]:
    days = _days([session for session in sessions if not session.pinned])

    def heading(session: WebChatSession) -> str:
        if show == "trash":
            return "Deleted"
        return "Pinned" if session.pinned else days[session.session_id]

    return [Group(name, tuple(group)) for name, group in groupby(sessions, key=heading)]


def _by_folder(sessions: Sequence[WebChatSession]) -> list[Group]:
    return [Group(name, tuple(group)) for name, group in groupby(sessions, key=lambda session: session.working_dir)]


def _days(sessions: Sequence[WebChatSession]) -> dict[str, str]:
    """Under which day each of these stands, the newest first: none under an older one than what stands below it.

    What was said while the clock was behind stands where it belongs, with a time that is too early.
    """
    now = local_time(datetime.now().astimezone().isoformat())
    assert now is not None  # noqa: S101  (a time that was just made)
    newest, days = 0, {}
    for session in reversed(sessions):
        newest = max(newest, DAYS.index(day_group(local_time(session.last_active), now)))
        days[session.session_id] = DAYS[newest]
    return days
