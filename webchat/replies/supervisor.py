"""Supervises the replies of this process: starts and stops them, and locks their sessions.

Knows no rule of the chat and no backend.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

from webchat.chat.conversation import NEWER, Conversation
from webchat.chat.message import Message
from webchat.chat.reply import ReplyView
from webchat.errors import (
    Closing,
    InvalidInput,
    SessionBusy,
    StorageError,
    WebChatError,
    storing,
)
from webchat.limits import Limits, Places, Turnstile
from webchat.observer import NOBODY, Observer
from webchat.replies.follow import Conversations, text_pieces
from webchat.replies.in_flight import RepliesInFlight
from webchat.replies.launcher import ReplyLauncher
from webchat.replies.runner import ReplyRunner
from webchat.replies.tending import Tending
from webchat.replies.turn import Turn
from webchat.replies.write_pace import ReplyTimes
from webchat.storage.protocols import Release, Storage
from webchat.storage.wakeups import POLL_INTERVAL

TOO_MANY = "Too many of your messages are being answered right now. Wait for one to finish, then send again."
AT_ONCE, TURNSTILE_PATIENCE = 2, 1.0
"""Messages that may be saved and started in parallel: one computes while the other waits for the disk. If fifty ran in
parallel, all would get their first text as late as the last. And seconds without a start after which the others no
longer wait."""
STOP_PATIENCE = 2.0
"""Seconds that a stop waits for the answer's end, so that what it shows is final."""


class ReplySupervisor:
    """All replies that this process runs, over one storage."""

    def __init__(
        self,
        storage: Storage,
        limits: Limits,
        observer: Observer = NOBODY,
        over: Callable[[ReplyRunner], object] = lambda run: None,
    ) -> None:
        """`over` is called in a reply's thread when it has ended and released its session."""
        self._storage, self._limits = storage, limits
        self._turnstile = Turnstile(AT_ONCE, TURNSTILE_PATIENCE)
        self.places = Places(limits.replies, limits.replies_per_client, TOO_MANY)
        self._in_flight = RepliesInFlight()
        self.runs, self._unsaved = self._in_flight.runs, self._in_flight.unsaved
        self._conversations = Conversations(storage, self._written_here)
        self.is_closing = False
        self.stopping = threading.Event()
        """Set when all answers have ended; every stream watches it."""
        self.times = ReplyTimes()
        tending = Tending(self.runs, storage.replies, limits.answer_time, self.stopping)
        self.launcher = ReplyLauncher(storage, self._in_flight, tending, self._turnstile, observer, over, self.times)

    def read(self, session_id: str) -> Conversation:
        """The session's conversation now. Raises StorageError."""
        with storing("The conversation could not be read"):
            return self._conversations.read(session_id)

    def find(self, session_id: str, message_id: str) -> Message | None:
        """A message of the session, on any branch. Raises StorageError."""
        shown = self.read(session_id).find(message_id)
        with storing("The conversation could not be read"):
            messages = () if shown else self._storage.transcripts.messages(session_id)
            return shown or next((message for message in messages if message.id == message_id), None)

    def version(self, session_id: str) -> object:
        """Differs from an earlier one when the conversation has changed, in any process."""
        with storing("The conversation could not be read"):
            return self._storage.transcripts.version(session_id), self._storage.replies.version(session_id)

    @contextmanager
    def turn(self, session_id: str) -> Iterator[Turn]:
        """Hold the session's lease for a block; first settles what a dead writer has left.

        Raises Closing, SessionBusy, StorageError if the disk is nearly full.
        """
        with self._turn(session_id, self._lease(session_id)) as turn:
            yield turn

    @contextmanager
    def turn_to_answer(self, session_id: str, client: str | None) -> Iterator[Turn]:
        """Like `turn`, with a slot for one more answer; callers that have both are served in order.

        Raises TooBusy if no slot is free, in total or for this client.
        """
        lease = self._lease(session_id)  # first: a caller that waits for its session delays no other
        try:
            place = self.places.take(client)
        except BaseException:
            lease()
            raise
        with self._turn(session_id, lease, place, order=self._turnstile.passing()) as turn:
            yield turn

    def _lease(self, session_id: str) -> Release:
        self.require_open()
        self.require_disk()
        run = self.runs.get(session_id)
        if run is not None and not run.is_over:
            raise SessionBusy
        return self._storage.leases.acquire(session_id)

    @contextmanager
    def _turn(
        self, session_id: str, *releases: Release, order: AbstractContextManager[None] | None = None
    ) -> Iterator[Turn]:
        turn = Turn(session_id, Conversation(), *releases)
        try:
            with order or nullcontext(), storing("The message could not be saved"):
                turn.conversation = self._settled(session_id)
                yield turn
        finally:
            turn.end()

    def _settled(self, session_id: str) -> Conversation:
        conversation, unsaved = self._conversations.read(session_id), self._unsaved.get(session_id)
        if conversation.newer:
            raise InvalidInput(NEWER)
        if unsaved is None and self._storage.replies.version(session_id) is None:
            return conversation
        self._storage.replies.settle(session_id, unsaved)
        self._unsaved.pop(session_id, None)
        return self._conversations.read(session_id)

    def require_disk(self) -> None:
        """Raises StorageError if less than `free_disk` is free: an answer could not be saved."""
        free = self._storage.free()
        if free is not None and free < self._limits.free_disk:
            raise StorageError("Nothing more can be saved", OSError(errno.ENOSPC, "almost full"))

    def require_open(self) -> None:
        """Raises Closing if the server is shutting down."""
        if self.is_closing:
            raise Closing

    def is_answering(self, session_id: str) -> bool:
        return session_id in self.runs or self._storage.leases.is_held(session_id)

    def is_busy(self, session_id: str) -> bool:
        """Whether a message would be refused now. Waits for an ended answer's commit."""
        run = self.runs.get(session_id)
        if run is not None:
            return not run.is_over
        with storing("The message could not be saved"):
            return self._storage.leases.is_held(session_id)

    def stop(self, session_id: str) -> bool:
        """Stop the answer in this session, whichever process writes it; returns whether there was one."""
        run = self.runs.get(session_id)
        if run is None:
            return self._stop_elsewhere(session_id)
        run.stop()
        run.wait(STOP_PATIENCE)
        return True

    def _stop_elsewhere(self, session_id: str) -> bool:
        """Stop an answer of another process, which looks for requests every quarter of a second."""
        replies, leases = self._storage.replies, self._storage.leases
        with storing("The answer could not be stopped"):
            if replies.view(session_id) is None or not leases.is_held(session_id):
                return False
            replies.request(session_id, {"stop": True})
            self.wait_elsewhere(session_id, lambda: not leases.is_held(session_id))
        return True

    def wait_elsewhere(self, session_id: str, is_done: Callable[[], bool]) -> None:
        """Wait, for two seconds at most, until another process has done something."""
        with self._storage.bus.listen(session_id) as waiter:
            for _ in range(round(STOP_PATIENCE / POLL_INTERVAL)):
                if is_done():
                    return
                waiter.wait(POLL_INTERVAL)

    def is_asking(self, session_id: str) -> bool:
        """Whether the reply in flight has an open question. Raises OSError."""
        view = self._written_here(session_id) or self._storage.replies.view(session_id)
        return view is not None and bool(view.questions) and self.is_answering(session_id)

    def sent_with(self, session_id: str, conversation: Conversation, key: str) -> Iterator[tuple[Message, Message]]:
        """The questions that came with this key and their answers; see `Tree.sent_with`."""
        last = conversation.last
        if last and last.key == key and last.role != "user":  # its answer may still be in flight
            yield conversation.find(last.parent or "") or last, last
        with storing("The conversation could not be read"):
            yield from self._storage.transcripts.sent_with(session_id, key)

    def settle_left(self) -> None:
        """Move answers that dead processes have left into the transcripts."""
        for session_id in self._storage.replies.sessions():
            with suppress(WebChatError, OSError):
                if not self.is_answering(session_id):
                    with self.turn(session_id):
                        pass  # taking the turn settles it

    def forget(self, session_ids: Collection[str]) -> None:
        """Forget deleted sessions."""
        for session_id in session_ids:
            self._unsaved.pop(session_id, None)

    def pieces(self, session_id: str, message_id: str) -> Iterator[tuple[str, Message]]:
        """The text of one answer from its beginning, as pairs (new text, the message now); see `text_pieces`."""
        run = self.runs.get(session_id)

        def read() -> Message | None:
            if run is not None and run.id == message_id and run.view.extends is None:
                return run.message
            return self.read(session_id).find(message_id)

        with self._storage.bus.listen(session_id) as waiter:
            yield from text_pieces(read, waiter, self.stopping)

    def close(self, grace: float, patience: float) -> None:
        """Accept nothing new, and let answers in flight and their readers continue for `grace` seconds.

        Then interrupt the others, keep what they have within `patience` seconds, and end all streams.
        """
        self.is_closing = True
        self._in_flight.interrupt_all(grace, patience)
        self.stopping.set()
        self._storage.bus.close()

    def end_grace(self) -> bool:
        """Have `close` wait no longer for answers; returns whether it might have waited."""
        return self._in_flight.end_grace()

    def _written_here(self, session_id: str) -> ReplyView | None:
        run, unsaved = self.runs.get(session_id), self._unsaved.get(session_id)
        if run:
            return run.view
        return unsaved if unsaved and not self._storage.leases.is_held(session_id) else None
