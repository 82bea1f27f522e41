"""Reading along: what one session looks like now, and what has changed since a reader last looked.

Knows no HTML and no HTTP. A reader's position is derived from the files alone, so any process can go on from it.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue

from webchat.messages import Messages
from webchat.reply_log import Replies, ReplyView, Status, is_committed
from webchat.transcript import Branch, Message, Transcripts

log = logging.getLogger(__name__)
POLL_INTERVAL = 0.25
"""Seconds between two looks for what other processes have written, or what happened in other sessions: to wake all
readers for each message of anybody would cost more than the messages."""
_POSITION = re.compile(r"(\d{1,15})\.([A-Za-z0-9_-]{0,128})\.(\d{1,15})", re.ASCII)


@dataclass(frozen=True)
class Position:
    """How far a reader is: transcript bytes read, the last message shown, and how many are shown up to it."""

    offset: int = 0
    message_id: str = ""
    count: int = 0

    def __str__(self) -> str:
        return f"{self.offset}.{self.message_id}.{self.count}"

    @classmethod
    def parse(cls, text: str | None) -> Position | None:
        """The position that `str` wrote, or None for anything else."""
        match = _POSITION.fullmatch(text or "")
        return cls(int(match[1]), match[2], int(match[3])) if match else None


@dataclass(frozen=True)
class Conversation:
    """One session's messages as they are now, the reply in flight or left behind among them as the last."""

    messages: Messages = field(default_factory=Messages)
    end: int = 0
    damaged: bool = False
    status: Status | None = None
    newer: bool = False

    @property
    def last(self) -> Message | None:
        return self.messages[-1] if self.messages else None

    @property
    def position(self) -> Position:
        return Position(self.end, self.last.id if self.last else "", len(self.messages))

    def up_to(self, message_id: str) -> tuple[Message, ...]:
        """The messages up to and with that one; () where it is not shown."""
        place = self.messages.place(message_id)
        return () if place is None else self.messages[: place + 1]

    def find(self, message_id: str) -> Message | None:
        place = self.messages.place(message_id)
        return None if place is None else self.messages[place]


class Conversations:
    """Puts transcripts and replies in flight together."""

    def __init__(
        self, transcripts: Transcripts, replies: Replies, written_here: Callable[[str], ReplyView | None]
    ) -> None:
        """`written_here` gives the reply that this process writes in a session; others are read from their log."""
        self._transcripts, self._replies, self._written_here = transcripts, replies, written_here

    def stamp(self, session_id: str) -> object:
        """Differs from an earlier one when the conversation's files have changed."""
        return self._transcripts.stamp(session_id), self._replies.stamp(session_id)

    def read(self, session_id: str) -> Conversation:
        """What there is now. Raises OSError."""
        # In this order: log, lock, transcript. A writer commits before it unlocks and unlocks before it is gone,
        # so a free lock means that what is not in the transcript now will not come.
        own, damaged = self._written_here(session_id), False
        try:
            view = own or self._replies.view(session_id)
            alive = own is not None or (view is not None and self._replies.is_alive(session_id))
        except OSError:  # no reason to hide what was said before; whoever wants to write is told
            log.info("the reply in session %s cannot be read", session_id, exc_info=True)
            view, alive, damaged = None, False, True
        branch = self._transcripts.read(session_id)
        if view is None or is_committed(view, branch.messages):
            return self._shown(session_id, branch, damaged)
        return _with_reply(self._shown(session_id, branch, view.damaged), view, alive)

    def _shown(self, session_id: str, branch: Branch, damaged: bool) -> Conversation:
        # What ends in the middle of a line is damaged, unless somebody is writing just that line.
        damaged = damaged or branch.damaged or (branch.torn and not self._replies.is_alive(session_id))
        return Conversation(branch.messages, branch.end, damaged, newer=branch.newer)


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


class Waiter:
    """Waits for a change in one session. `urgent` changes are those that no reader should put off.

    A queue and no Event: it waits without Python's help, in a fifth of the time.
    """

    def __init__(self) -> None:
        self._pokes: SimpleQueue[None] = SimpleQueue()
        self._is_urgent = False

    def poke(self, urgent: bool) -> None:
        if urgent:
            self._is_urgent = True
        if self._pokes.empty():  # one queued wake-up is enough: the waiter re-reads everything
            self._pokes.put(None)

    def clear(self) -> None:
        """Forget what has happened; called before looking, so that nothing between look and wait is missed."""
        self._is_urgent = False
        while not self._pokes.empty():
            self._pokes.get()

    def wait(self, timeout: float, *, urgent: bool = False) -> bool:
        """Wait for a change that no wait has told, or for an urgent one since `clear`, in seconds at most."""
        end = time.monotonic() + timeout
        while not self._is_urgent:
            try:
                self._pokes.get(timeout=max(0.0, end - time.monotonic()))
            except Empty:
                return False
            if not urgent:
                return True
        return True


class Wakeups:
    """Tells the readers in this process at once what its writers do.

    Who stops listening waits for nobody: the garbage collector closes a stream that was abandoned, in any thread and at
    any moment, also in one that holds the lock here.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiters: dict[str, set[Waiter]] = {}
        self._left: deque[tuple[str, Waiter]] = deque()

    @contextmanager
    def listen(self, session_id: str) -> Iterator[Waiter]:
        waiter = Waiter()
        with self._guard:
            self._waiters.setdefault(session_id, set()).add(waiter)
        try:
            yield waiter
        finally:
            self._left.append((session_id, waiter))
            if self._guard.acquire(blocking=False):
                try:
                    self._forget()
                finally:
                    self._guard.release()

    def _forget(self) -> None:
        """Let go of those that do not listen any more. Called with the lock."""
        while self._left:
            session_id, waiter = self._left.popleft()
            waiters = self._waiters[session_id]
            waiters.discard(waiter)
            if not waiters:
                del self._waiters[session_id]

    def poke(self, session_id: str, urgent: bool) -> None:
        """Something changed in this session."""
        with self._guard:
            self._forget()
            waiters = tuple(self._waiters.get(session_id, ()))
        for waiter in waiters:
            waiter.poke(urgent)

    def poke_all(self, *, urgent: bool = True) -> None:
        """Something happened that concerns all: the server is about to end, say."""
        with self._guard:
            self._forget()
            waiters = [waiter for group in self._waiters.values() for waiter in group]
        for waiter in waiters:
            waiter.poke(urgent)


@dataclass(frozen=True)
class Change:
    """What a reader at some position does not have yet.

    replaced: nothing that it has counts, it takes the whole conversation. Otherwise `current` is the message that it
    showed last, where that has changed, and `added` are the ones behind it.
    """

    conversation: Conversation
    replaced: bool = False
    current: Message | None = None
    added: tuple[Message, ...] = ()


def change_since(conversation: Conversation, position: Position) -> Change | None:
    """What has changed for a reader at `position`; None where nothing has."""
    messages = conversation.messages
    first = messages.first_behind(position.offset)
    new, at = messages[first:], position.count - 1
    known = messages[at].id if 0 <= at < len(messages) else ""
    if conversation.end < position.offset or known != position.message_id:
        return Change(conversation, replaced=True)
    if first == at:
        return Change(conversation, current=new[0], added=new[1:])
    if first != position.count:
        return Change(conversation, replaced=True)
    return Change(conversation, added=new) if new else None


def text_pieces(
    read: Callable[[], Message | None], waiter: Waiter, stopping: threading.Event
) -> Iterator[tuple[str, Message]]:
    """One reply's text as it comes, as (new text, the message now), until it has its final status.

    `read` gives the message as it is now. A pair with an empty text comes whenever there was nothing new for
    `POLL_INTERVAL`, so that the caller can see whether its reader is still there, and at the end. When `stopping` is
    set there is one last look.
    """
    sent, over = 0, False
    while not over:
        over = stopping.is_set()
        waiter.clear()
        message = read()
        if message is None:
            return
        yield message.content[sent:], message
        if not message.in_flight:
            return
        sent = len(message.content)
        waiter.wait(POLL_INTERVAL)
