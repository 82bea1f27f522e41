"""The answer in flight as a growing page of its own, for a frame in browsers without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response, g, stream_with_context
from markupsafe import Markup, escape

from webchat.chat.message import Message
from webchat.chat.parts import Permission, Text, ToolCall
from webchat.chat.plain import one_line
from webchat.web.cards import question_html
from webchat.web.context import chat_of, has_gone, link, manager, owner
from webchat.web.streams import holding
from webchat.web.templates import render_template


def register(blueprint: Blueprint) -> None:
    blueprint.get("/sessions/<session_id>/reply", endpoint="reply")(reply)


def reply(session_id: str) -> Response:
    """The reply in flight as a page that grows."""
    last = manager().conversation(session_id, owner()).last
    g.framed = True
    if last is not None and last.in_flight:
        g.place = chat_of().take_stream()
    # The body is iterated after this request's context has ended.
    return holding(Response(stream_with_context(_page(session_id, last)), mimetype="text/html"))


def _page(session_id: str, last: Message | None) -> Iterator[str]:
    # The frame may already be at "#end": only a different URL makes the link reload it.
    url = link("session", session_id=session_id, answered=last.id if last else None, _anchor="end")
    head, foot = render_template("webchat/reply.html", session_url=url).split("<!--text-->")
    yield head
    if last is not None and last.in_flight:
        gone, shown = has_gone(), _Shown(session_id)
        for _, message in manager().pieces(session_id, last.id):
            if gone():
                return
            yield str(Markup().join(shown.more(message)))
    elif last is not None and last.role == "assistant":
        yield str(escape(last.content))
    yield foot


class _Shown:
    """The part of the answer that is on the page: text, a line per tool, questions. It can only be appended to."""

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._lengths: dict[int, int] = {}
        self._tools: set[str] = set()
        self._asked: dict[str, str] = {}

    def more(self, message: Message) -> Iterator[Markup]:
        """The additions, in order."""
        texts = 0
        for part in message.ordered:
            if isinstance(part, Text):
                yield escape(part.text[self._lengths.get(texts, 0) :])
                self._lengths[texts] = len(part.text)
                texts += 1
            elif isinstance(part, ToolCall) and part.id not in self._tools:
                self._tools.add(part.id)
                yield Markup('<p class="note">{}</p>').format(one_line(part.title) or part.kind)
            elif isinstance(part, Permission) and self._asked.get(part.id) != part.status:
                self._asked[part.id] = part.status
                yield question_html(message, part, self._session_id, f"q-{len(self._asked)}")
