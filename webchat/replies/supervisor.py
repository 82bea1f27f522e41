"""Supervises the replies of this process: starts, watches and stops them, and locks their sessions.

Knows no rule of the chat and no backend.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from webchat.chat.conversation import Conversation
from webchat.chat.message import Message
from webchat.chat.reply import ReplyView
from webchat.errors import (
    Closing,
    InvalidInput,
    NoThreads,
    SessionBusy,
    StorageError,
    WebChatError,
    storing,
)
from webchat.limits import Limits, Places
from webchat.observer import NOBODY, Observer
from webchat.replies.follow import Conversations, text_pieces
from webchat.replies.runner import Ask, ReplyRunner
from webchat.replies.tending import Tending
from webchat.replies.turn import Turn
from webchat.storage.protocols import Release, Storage
from webchat.storage.wakeups import POLL_INTERVAL

log = logging.getLogger(__name__)
NEWER = "This conversation was written by a later version of the chat. It can be read here, and not changed."
TOO_MANY = "Too many of your messages are being answered right now. Wait for one, then send again."
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
        """`over` is called in a reply's thread when it is over and others may write in its session."""
        self._over = over
        self._storage, self._limits, self._observer = storage, limits, observer
        self.places = Places(limits.replies, limits.replies_per_client, TOO_MANY)
        self.runs: dict[str, ReplyRunner] = {}
        self._unsaved: dict[str, ReplyView] = {}
        """Answers that ended and could not be saved, until the next message in their session."""
        self._conversations = Conversations(storage, self._written_here)
        self._closing = False
        self.stopping = threading.Event()
        """Set when all answers have ended; every stream watches it."""
        self._tending = Tending(self.runs, storage.replies, limits.answer_time, self.stopping)

    def read(self, session_id: str) -> Conversation:
        """What the session looks like now. Raises StorageError."""
        with storing("The conversation could not be read"):
            return self._conversations.read(session_id)

    def version(self, session_id: str) -> object:
        """Differs from an earlier one when the conversation has changed, in any process."""
        with storing("The conversation could not be read"):
            return self._storage.transcripts.version(session_id), self._storage.replies.version(session_id)

    @contextmanager
    def turn(self, session_id: str) -> Iterator[Turn]:
        """Hold the session's lease for a block, with what a dead writer left behind settled.

        Raises Closing, SessionBusy, StorageError if the disk is as good as full.
        """
        with self._turn(session_id, self._lease(session_id)) as turn:
            yield turn

    @contextmanager
    def turn_to_answer(self, session_id: str, client: str | None) -> Iterator[Turn]:
        """The same with a place for one more answer. Raises TooBusy if there is none, in all or for this client."""
        place = self.places.take(client)
        try:
            lease = self._lease(session_id)
        except BaseException:
            place()
            raise
        with self._turn(session_id, lease, place) as turn:
            yield turn

    def _lease(self, session_id: str) -> Release:
        self.require_open()
        self.require_disk()
        run = self.runs.get(session_id)
        if run is not None and not run.is_over:
            raise SessionBusy
        return self._storage.leases.acquire(session_id)

    @contextmanager
    def _turn(self, session_id: str, *releases: Release) -> Iterator[Turn]:
        turn = Turn(session_id, Conversation(), *releases)
        try:
            with storing("The message could not be saved"):
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

    def begin(
        self,
        turn: Turn,
        header: Mapping[str, Any],
        ask: Ask,
        ended: Callable[[ReplyRunner], None],
        asked: Callable[[], None],
        save: Callable[[], object],
    ) -> ReplyRunner:
        """Have an answer written by a thread of its own, which takes the turn over; `ended` is called at its end.

        `asked` is called when the person is asked something, and when they have answered. `save` puts the question on
        the disk. Nothing of the answer is written or shown before that is done, nor is the backend asked, unless it
        only speaks. Raises StorageError, NoThreads, what `save` raises; then nothing of an answer remains.
        """
        session_id = turn.session_id

        def changed(urgent: bool) -> None:
            self._storage.bus.publish(session_id, urgent=urgent)

        def let_go() -> None:
            # In this order: whoever comes meanwhile finds the answer, and waits for its end and not for the lease.
            if not (run.is_saved or run.is_withdrawn):
                self._unsaved[session_id] = run.view
            release()
            if self.runs.get(session_id) is run:
                del self.runs[session_id]

        begin = partial(self._storage.replies.begin, session_id, header)
        run = ReplyRunner(session_id, header, ask, begin, changed, ended, asked, observer=self._observer)
        release = turn.hand_over()
        try:
            run.start(let_go, lambda: self._over(run))
        except NoThreads as error:  # the question is kept: sent again, it is answered
            turn.take_back(release)
            run.withdraw()
            ended(run)
            save()
            raise _not_started(error) from error
        try:
            save()
            self._show(run)
        except BaseException:
            self._take_back(run)
            raise
        return run

    def _show(self, run: ReplyRunner) -> None:
        """Begin the answer's log, and have it written. Raises StorageError, NoThreads."""
        try:
            run.recorder.begin()
            self.runs[run.session_id] = run
            self._tending.start()
        except (OSError, NoThreads) as error:
            raise _not_started(error) from error
        run.let_write()

    def _take_back(self, run: ReplyRunner) -> None:
        """End an answer that cannot be written, and remove its log: left there, it would count as an answer."""
        self.runs.pop(run.session_id, None)
        try:
            run.recorder.discard()
        except OSError:
            log.warning("the log of an answer that did not start could not be removed", exc_info=True)
        run.withdraw()
        run.wait(STOP_PATIENCE)

    def require_disk(self) -> None:
        """Raises StorageError where less of the disk is free than has to be: what is begun could not be ended."""
        free = self._storage.free()
        if free is not None and free < self._limits.free_disk:
            raise StorageError("Nothing new can be saved", OSError(errno.ENOSPC, "as good as full"))

    def require_open(self) -> None:
        """Raises Closing when all this is about to end."""
        if self._closing:
            raise Closing

    @property
    def is_closing(self) -> bool:
        return self._closing

    def is_answering(self, session_id: str) -> bool:
        return session_id in self.runs or self._storage.leases.is_held(session_id)

    def is_busy(self, session_id: str) -> bool:
        """Whether a message would be refused now. An answer that has ended is given time for its last step."""
        run = self.runs.get(session_id)
        if run is not None:
            return not run.is_over
        with storing("The message could not be saved"):
            return self._storage.leases.is_held(session_id)

    def stop(self, session_id: str) -> bool:
        """Stop the answer in this session, whichever process writes it. Whether there was one."""
        run = self.runs.get(session_id)
        if run is None:
            return self._stop_elsewhere(session_id)
        run.stop()
        run.wait(STOP_PATIENCE)
        return True

    def _stop_elsewhere(self, session_id: str) -> bool:
        """Stop what another process writes: it looks for our word every quarter of a second."""
        replies, leases = self._storage.replies, self._storage.leases
        with storing("The answer could not be stopped"):
            if replies.view(session_id) is None or not leases.is_held(session_id):
                return False
            replies.request(session_id, {"stop": True})
            self.wait_elsewhere(session_id, lambda: not leases.is_held(session_id))
        return True

    def wait_elsewhere(self, session_id: str, is_done: Callable[[], bool]) -> None:
        """Wait until another process has done something, for two seconds at most."""
        with self._storage.bus.listen(session_id) as waiter:
            for _ in range(round(STOP_PATIENCE / POLL_INTERVAL)):
                if is_done():
                    return
                waiter.wait(POLL_INTERVAL)

    def is_asking(self, session_id: str) -> bool:
        """Whether the person is asked something by the reply in flight. Raises OSError."""
        view = self._written_here(session_id) or self._storage.replies.view(session_id)
        return view is not None and bool(view.questions) and self.is_answering(session_id)

    def sent_with(self, session_id: str, conversation: Conversation, key: str) -> Iterator[tuple[Message, Message]]:
        """The questions that came with this key and their answers; see `Tree.sent_with`."""
        last = conversation.last
        if last and last.key == key and last.role != "user":  # it may be in flight still
            yield conversation.find(last.parent or "") or last, last
        with storing("The conversation could not be read"):
            yield from self._storage.transcripts.sent_with(session_id, key)

    def settle_left(self) -> None:
        """Take into the transcripts what processes that are gone have left behind."""
        for session_id in self._storage.replies.sessions():
            with suppress(WebChatError, OSError):
                if not self.is_answering(session_id):
                    with self.turn(session_id):
                        pass  # which settles it

    def forget(self, session_ids: Collection[str]) -> None:
        """Forget what is known of sessions that are gone."""
        for session_id in session_ids:
            self._unsaved.pop(session_id, None)

    def pieces(self, session_id: str, message_id: str) -> Iterator[tuple[str, Message]]:
        """The text of one answer as it comes, from its beginning, as (new text, the message now); see `text_pieces`."""
        run = self.runs.get(session_id)

        def read() -> Message | None:
            if run is not None and run.id == message_id and run.view.extends is None:
                return run.message
            return self.read(session_id).find(message_id)

        with self._storage.bus.listen(session_id) as waiter:
            yield from text_pieces(read, waiter, self.stopping)

    def close(self, grace: float, patience: float) -> None:
        """Begin nothing any more; let answers in flight end for `grace` seconds, and read along meanwhile.

        Then end what is still in flight, which is kept as interrupted, within `patience` seconds, and all streams.
        """
        self._closing = True
        end = time.monotonic() + grace
        for run in list(self.runs.values()):
            run.wait(max(0.0, end - time.monotonic()))
        runs = list(self.runs.values())
        for run in runs:
            run.stop("interrupted")
        for run in runs:
            run.wait(patience)
        self.stopping.set()
        self._storage.bus.close()

    def _written_here(self, session_id: str) -> ReplyView | None:
        run, unsaved = self.runs.get(session_id), self._unsaved.get(session_id)
        if run:
            return run.view
        return unsaved if unsaved and not self._storage.leases.is_held(session_id) else None


def _not_started(error: OSError | NoThreads) -> WebChatError:
    what = "Your message is saved, but no answer could be started"
    if isinstance(error, NoThreads):
        return NoThreads(f"{what}. Send it again in a few seconds.")
    return StorageError(what, error, "Try again when that is mended")
