"""The event stream of each open page: messages, the growing answer, badge, title, and "the list changed"."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from flask import Blueprint, Response, request, stream_with_context
from markupsafe import Markup

from webchat.chat.conversation import Change, Conversation, Position, change_since
from webchat.chat.message import Message
from webchat.chat.parts import Usage
from webchat.errors import SessionNotFound, TooBusy
from webchat.session_store import WebChatSession
from webchat.storage.wakeups import Pause
from webchat.web import pieces
from webchat.web.context import Chat, chat_of, has_gone, has_lost_access, owner
from webchat.web.growing import GrowingArticle, Grown, Update
from webchat.web.hosting import Parking, is_ending, parking
from webchat.web.htmx import event_of, partial
from webchat.web.lost_access import last_event_id, lost_event
from webchat.web.parts import usage_of
from webchat.web.queued import queue_context, queue_partials
from webchat.web.window import Shown

PING_INTERVAL = 25.0
"""Seconds of silence after which a keep-alive event is sent."""
POLL_AGAIN = 5_000
"""Milliseconds after which a page without a stream of its own polls again."""


def register(blueprint: Blueprint) -> None:
    blueprint.get("/events", endpoint="events")(events)


def events() -> Response:
    """The stream of one session from a position on: Last-Event-ID, else `after`, else the present.

    Without a session it is that of the welcome page, which shows the list.
    """
    chat, session_id = chat_of(), request.args.get("session")
    try:
        gone = has_gone(chat.times.lifetime)
        stream = ListStream(chat, gone, owner()) if session_id is None else _of_page(chat, gone, session_id)
    except SessionNotFound:
        if "temporary" not in request.args:
            raise
        return _events(iter([event_of(pieces.welcome_partials(ended=session_id or ""))]))
    stream.is_out = has_lost_access()
    try:
        return stream_response(chat, stream)
    except TooBusy:
        return _events(stream.once())


def stream_response(chat: Chat, stream: ListStream) -> Response:
    """The response that follows the stream. Raises TooBusy, NoThreads."""
    chat.manager.storage.bus.start()  # before the response has begun: there may be no thread left
    give = chat.take_stream(page=True)
    offer = parking(request.environ)
    if offer:
        offer.begin()
    response = _events(stream.follow(offer))
    response.call_on_close(give)
    return response


def _of_page(chat: Chat, gone: Callable[[], bool], session_id: str) -> PageStream:
    session = chat.manager.reader.require(session_id, owner())
    given = last_event_id() or request.args.get("after")
    position = Position.parse(given) or chat.manager.reader.conversation(session.session_id).position
    said = ("damaged" in request.args, "newer" in request.args) if "after" in request.args else None
    is_temporary = session.temporary or "temporary" in request.args
    shown = Shown(said, request.args.get("queue"), takes_more="more" in request.args, is_temporary=is_temporary)
    return PageStream(chat, session, position, gone, shown)


def _events(body: Iterator[str]) -> Response:
    return Response(stream_with_context(body), mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})


class ListStream:
    """The Server-Sent Events of a page without a conversation: changes of the list."""

    def __init__(self, chat: Chat, gone: Callable[[], bool], owner: str | None, session_id: str = "") -> None:
        self._chat, self._manager = chat, chat.manager
        self._owner, self._session_id, self._position = owner, session_id, Position()
        self._gone, self._ping = gone, "event: ping\ndata:\n\n"
        self.is_out: Callable[[], bool] = lambda: False  # whether the user has lost access
        # The page's version of list, badge and title is unknown, so the first look sends them.
        self._list_version: object = self

    def once(self) -> Iterator[str]:
        """The changes, once: for a page that polls because there are too many streams."""
        yield f"retry: {POLL_AGAIN}\nid: {self._position}\n" + (self._news() or self._ping)

    def follow(self, offer: Parking | None) -> Iterator[str]:
        """All changes, until the page is closed or the server ends.

        With an offer, an empty piece is yielded at each pause: the server may then take the thread away until the pause
        is over.
        """
        for step in self._steps():
            if isinstance(step, str):
                yield step
                continue
            if offer and not (step.is_over or (self._is_growing and offer.has_room)):
                offer.park(step)
                yield ""
            step.wait()  # the wait is over already, unless something between us and the server swallows empty pieces

    def _steps(self) -> Iterator[str | Pause]:
        # The first bytes open the stream in the browser at once, and show that it has reconnected.
        yield ": open\n\n"
        last_sent = time.monotonic()
        with self._manager.storage.bus.follow(self._session_id, self._owner, self._is_over) as waiter:
            while not self._gone():
                over = self._is_over()  # checked first: this is then the last look
                waiter.clear()
                news = self._news()
                if news:
                    yield news
                    last_sent = time.monotonic()
                elif time.monotonic() - last_sent >= PING_INTERVAL:
                    yield self._ping
                    last_sent = time.monotonic()
                if over:
                    break
                # In this order: with the wait for news first, each piece of a growing answer would wake the thread
                # twice.
                yield Pause(waiter, last_sent + self._pace(), urgent=True)
                yield Pause(waiter, last_sent + PING_INTERVAL)
                yield Pause(waiter, time.monotonic() + self._patience(), urgent=True)
        if self.is_out():
            yield lost_event(self._position)

    @property
    def _is_growing(self) -> bool:
        """Whether the page shows an answer that is being written, and so gets several updates a second."""
        return False

    def _is_over(self) -> bool:
        """Whether the page was closed or the server is ending."""
        return self._gone() or self._manager.stopping.is_set() or is_ending()

    def _pace(self) -> float:
        """The least seconds between two updates."""
        return 0.0

    def _patience(self) -> float:
        """Seconds that an update may wait for more changes."""
        return 0.0

    def _news(self) -> str:
        """All changes that the page does not have yet, as events; "" if there are none."""
        version = self._manager.directory.version(self._owner)
        if version == self._list_version:
            return ""
        self._list_version = version
        return self._shell()

    def _shell(self) -> str:
        """Changes around the messages."""
        return f"id: {self._position}\nevent: sessions\ndata:\n\n"


class PageStream(ListStream):
    """The events of one conversation's page; an event's id is the page's position."""

    def __init__(
        self,
        chat: Chat,
        session: WebChatSession,
        position: Position,
        gone: Callable[[], bool],
        shown: Shown,
    ) -> None:
        super().__init__(chat, gone, session.owner, session.session_id)
        self._session = session
        self._position = position
        self._version: object = None
        self._said = shown.said
        self._queue_version: object = None
        self._queued = shown.queued
        self._shows_temporary = shown.is_temporary
        self._growing = GrowingArticle(chat.renderings, session.session_id, takes_more=shown.takes_more)
        self._controls: object = None
        self._label = self._manager.label_of(session)
        self._has_begun = False
        self._usage: Usage | None = None

    def _pace(self) -> float:
        return self._growing.interval

    def _patience(self) -> float:
        """A new message waits for its answer's first text: the page that sent it gets both from its form anyway."""
        return 0.0 if self._is_growing else self._chat.times.beginning

    def _news(self) -> str:
        if self._shows_temporary:
            session = self._manager.reader.find(self._session_id, self._owner)
            if session is None or not session.temporary:
                self._shows_temporary = session is None
                return self._event(pieces.after_temporary(session, self._session_id))
        change = self._change()
        parts = self._parts(change) if change else ()
        news = "".join(self._event(update) for update in parts if update)
        queue = self._queue_news()
        return news + (self._event(queue) if queue else "") + super()._news() + self._agent_news()

    def _agent_news(self) -> str:
        """The agent's choices and its name, if they have changed.

        At first it is unknown which choices the page has. The fields of a new session, which a person may be filling
        in, stay until the session has begun.
        """
        agents, session = self._manager.agents, self._session
        if not agents.has_controls or session.program:
            return ""
        before, self._controls = self._controls, agents.controls(session)
        had_begun, self._has_begun = self._has_begun, session.begun
        label, self._label = self._label, self._manager.label_of(session)
        news = "" if self._controls == before else self._event(pieces.controls_partial(session))
        news += "" if self._label == label else self._event(pieces.hint_partial(session))
        return news if had_begun == session.begun else news + self._event(pieces.new_session_partial(session))

    @property
    def _is_growing(self) -> bool:
        """Whether the page shows an answer that is being written."""
        return self._growing.sent is not None and self._growing.sent.in_flight

    def _change(self) -> Change | None:
        in_flight = self._is_growing
        version = None if in_flight else self._manager.reader.version(self._session_id)
        if version == self._version and not in_flight:
            return None
        self._version = version
        conversation = self._manager.reader.conversation(self._session_id)
        said, self._said = self._said, (conversation.damaged, conversation.newer)
        if said not in (None, self._said):
            return Change(conversation, replaced=True)
        return change_since(conversation, self._position)

    def _queue_news(self) -> Markup:
        version = self._manager.queue.version(self._session_id)
        if version == self._queue_version and (version is not None or self._queued is None):
            return Markup()
        self._queue_version = version
        context = queue_context(self._session, self._manager.reader.conversation(self._session_id))
        before, self._queued = self._queued, context["queue_state"]
        return queue_partials(context) if self._queued != before else Markup()

    def _shell(self) -> str:
        session = self._manager.reader.find(self._session_id, self._session.owner)
        self._session = session or replace(self._session, is_active=False)
        return self._event(pieces.shell_partials(self._session)) + super()._shell()

    def _whole(self, conversation: Conversation) -> Markup:
        """All messages again: another branch is shown, or the transcript was replaced since the page was rendered."""
        fork, before = conversation.fork, self._position.revision
        self._position, self._growing.sent = conversation.position, None
        at = fork.message_id if fork and fork.revision > before else ""
        return partial("messages", "outerHTML", pieces.messages_part(self._session, at=at))

    def _parts(self, change: Change) -> Iterator[Update]:
        """The changes, one event each; between two of them the position is that of the one before.

        The page may already have a message of its own form, but not the next one: htmx finds all targets of an event
        before its first swap, so if they came in one event, both would be left out.
        """
        if change.replaced:
            yield self._whole(change.conversation)
        if change.current is not None:
            self._note(change.current, change.conversation)
            yield from self._growing.more(change.current, change.conversation)
        for message in change.added:
            yield self._added(change, message)
        before, self._usage = self._usage, usage_of(change.conversation.messages)
        if self._usage and self._usage != before:
            yield pieces.usage_partial(self._usage)

    def _added(self, change: Change, message: Message) -> Markup:
        html = pieces.added_partial([message], change.conversation, self._session_id) + pieces.seen_partial(message)
        self._note(message, change.conversation)
        if message.role != "assistant":
            self._growing.sent = message
            return html
        # The response to a form may have inserted it already, with less text; what follows builds on this state.
        return html + self._growing.whole(message, change.conversation)

    def _note(self, message: Message, conversation: Conversation) -> None:
        """Note that the page now has this message, in this state, as its last."""
        self._position = conversation.position_at(message, max(message.revision, self._position.revision))

    def _event(self, update: Update) -> str:
        if isinstance(update, Grown):
            return f"event: more\ndata: {update}\n\n"
        return f"id: {self._position}\n{event_of(update)}"
