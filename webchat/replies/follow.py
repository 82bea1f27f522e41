"""Combines transcripts and replies in flight, for readers. Knows no HTML and no HTTP."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

from webchat.chat.conversation import Conversation
from webchat.chat.message import Message
from webchat.chat.reply import ReplyView, is_committed
from webchat.chat.tree import Branch
from webchat.storage.protocols import Storage
from webchat.storage.wakeups import POLL_INTERVAL, Waiter

log = logging.getLogger(__name__)


class Conversations:
    """Each session's transcript, with the reply in flight at its end."""

    def __init__(self, storage: Storage, written_here: Callable[[str], ReplyView | None]) -> None:
        """`written_here` returns the reply that this process is writing in a session; others are read from the log."""
        self._storage, self._written_here = storage, written_here

    def read(self, session_id: str) -> Conversation:
        """The conversation now. Raises OSError."""
        # In this order: log, lease, transcript. A writer commits before it releases its lease, so after a free lease
        # the transcript has all that will be committed.
        own, damaged = self._written_here(session_id), False
        try:
            view = own or self._storage.replies.view(session_id)
            alive = own is not None or (view is not None and self._storage.leases.is_held(session_id))
        except OSError:  # no reason to hide the earlier messages; writers get the error
            log.info("the reply in session %s cannot be read", session_id, exc_info=True)
            view, alive, damaged = None, False, True
        branch = self._storage.transcripts.read(session_id)
        if view is None or is_committed(view, branch.messages):
            return self._shown(session_id, branch, damaged)
        return _with_reply(self._shown(session_id, branch, view.damaged), view, alive)

    def _shown(self, session_id: str, branch: Branch, damaged: bool) -> Conversation:
        # A file that ends in the middle of a line is damaged, unless that line is just being written.
        damaged = damaged or branch.damaged or (branch.torn and not self._storage.leases.is_held(session_id))
        return Conversation(branch.messages, branch.revision, damaged, newer=branch.newer, fork=branch.fork)


def _with_reply(conversation: Conversation, view: ReplyView, alive: bool) -> Conversation:
    message = view.message(alive=alive)
    status = view.status if alive else None
    messages = conversation.messages
    parent = messages.place(message.parent or "")
    count = len(messages) if parent is None else parent + 1
    shown = messages[count : count + 1]
    if view.extends is not None and shown and shown[0].id == message.id:
        message = replace(shown[0].extended_by(message), siblings=shown[0].siblings)
    else:
        beside = (shown[0].siblings or (shown[0].id,)) if shown else ()
        message = replace(message, siblings=(*beside, message.id) if beside else ())
    return replace(conversation, messages=messages.up_to_and(count, message), status=status)


def text_pieces(
    read: Callable[[], Message | None], waiter: Waiter, stopping: threading.Event
) -> Iterator[tuple[str, Message]]:
    """One reply's text as it comes, as (new text, the message now), until it has its final status.

    `read` returns the current message. A pair with an empty text comes after each `POLL_INTERVAL` without news, so that
    the caller can check whether its client is still connected, and at the end. After `stopping` is set, the reply is
    read once more.
    """
    sent, over = "", False
    while not over:
        over = stopping.is_set()
        waiter.clear()
        message = read()
        if message is None:
            return
        # Text may turn out later to be reasoning: then the answer begins again.
        known = len(sent) if message.content.startswith(sent) else 0
        yield message.content[known:], message
        if not message.in_flight:
            return
        sent = message.content
        waiter.wait(POLL_INTERVAL)
