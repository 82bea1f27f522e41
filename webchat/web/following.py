"""A conversation as events with JSON, for a script that watches it: all messages, then what is new."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from flask import Blueprint, Response

from webchat.chat.conversation import Change, Position, Status, change_since
from webchat.chat.message import Message
from webchat.session_store import WebChatSession
from webchat.web.api import message_fields, session_fields
from webchat.web.context import Chat, chat_of, has_gone, owner
from webchat.web.events import ListStream, stream_response
from webchat.web.streams import event

INTERVAL = 0.12
"""Seconds between two updates of a growing answer."""
BYTES_PER_SECOND = 100_000
"""Bytes per second for an answer that must be sent whole at each update, because more than its text has changed."""


def register(blueprint: Blueprint) -> None:
    blueprint.get("/sessions/<session_id>/events", endpoint="follow")(follow)


def follow(session_id: str) -> Response:
    """The stream of one session, until the client goes away or the server ends. Raises TooBusy."""
    chat = chat_of()
    session = chat.manager.reader.require(session_id, owner())
    return stream_response(chat, ConversationStream(chat, session, has_gone(chat.times.lifetime)))


class ConversationStream(ListStream):
    """The events: `session` {session_id, …, description}; `messages` {messages}: all that are shown, at first and when
    the branch changes; `message`: a new or changed one; `delta` {message_id, text}: text added to the last message;
    `status` {text, progress}: of an answer without text yet.
    """

    def __init__(self, chat: Chat, session: WebChatSession, gone: Callable[[], bool]) -> None:
        super().__init__(chat, gone, session.owner, session.session_id)
        self._ping = event("ping", {})
        self._seen: Position | None = None
        self._version: object = None
        self._last: Message | None = None
        self._status: Status | None = None
        self._cost = 0

    def _news(self) -> str:
        changes = "".join(self._changes())
        self._cost = len(changes)
        return super()._news() + changes

    def _shell(self) -> str:
        session = self._manager.reader.find(self._session_id, self._owner)
        if session is None:
            return ""
        return event("session", {**session_fields(session), "description": session.description})

    def _changes(self) -> Iterator[str]:
        version = None if self._is_growing else self._manager.reader.version(self._session_id)
        if version is not None and version == self._version:
            return
        self._version = version
        conversation = self._manager.reader.conversation(self._session_id)
        before, self._seen = self._seen, conversation.position
        change = change_since(conversation, before) if before else Change(conversation, replaced=True)
        if change and change.replaced:
            self._last = conversation.last
            messages = [message_fields(item) for item in conversation.messages]
            yield event("messages", {"messages": messages, "notices": conversation.notices})
        elif change:
            yield from self._news_of(change)
        status, self._status = self._status, conversation.status
        if status != self._status:
            now = self._status
            yield event("status", {"text": now.text if now else "", "progress": now.progress if now else None})

    def _news_of(self, change: Change) -> Iterator[str]:
        before = self._last
        for message in (*([change.current] if change.current else []), *change.added):
            self._last = message
            if before is not None and _is_longer(message, before):
                text = message.content[len(before.content) :]
                yield event("delta", {"message_id": message.id, "text": text}) if text else ""
            elif message != before:
                yield event("message", message_fields(message))

    @property
    def _is_growing(self) -> bool:
        return self._last is not None and self._last.in_flight

    def _pace(self) -> float:
        return max(INTERVAL, self._cost / BYTES_PER_SECOND) if self._is_growing else 0.0


def _is_longer(message: Message, before: Message) -> bool:
    """Whether text was added and nothing else has changed."""
    if message.parts or not message.content.startswith(before.content):
        return False
    return replace(message, content=before.content) == before
