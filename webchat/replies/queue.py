"""The rules of the queue: messages that wait for an answer's end. Knows no backend and no file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from webchat.attachments import Given
from webchat.chat.message import is_message_id, new_message_id
from webchat.chat.queued import QueuedMessage
from webchat.chat.texts import checked_message
from webchat.errors import Closing, Held, NotWaiting, SessionBusy, TooBusy, WebChatError, storing
from webchat.replies.given_again import given_again
from webchat.replies.holding import is_held
from webchat.replies.posted import Posted
from webchat.replies.queue_items import require_place, same
from webchat.replies.rules import ConversationRules
from webchat.replies.runner import ReplyRunner
from webchat.replies.services import Services
from webchat.replies.submission import Submission, checked_submission, key_of
from webchat.session_store import WebChatSession
from webchat.storage.wakeups import POLL_INTERVAL

log = logging.getLogger(__name__)
NOT_QUEUED = "The message could not be queued"


class MessageQueue:
    """A message that is sent while an answer is being written is queued; the queue is sent in order, answer by answer.

    The process whose reply has ended sends the next message; housekeeping sends those that are left. If an answer was
    not completed, the queue is held, since its messages may no longer be meant. Sending is idempotent: each message has
    a key.
    """

    def __init__(
        self, services: Services, rules: ConversationRules, require: Callable[[str, str | None], WebChatSession]
    ) -> None:
        """`require` returns a session that may be changed, or raises."""
        self._store, self._storage, self._supervisor = services.store, services.storage, services.supervisor
        self._clock, self._allowance, self._rules = services.clock, services.allowance, rules
        self._longest_message, self._require = services.limits.message, require
        self._without_place: set[str] = set()
        """Sessions whose next message found no free slot in this process."""
        self._held: dict[str, object] = {}
        """By session: the version at which it was found held, so that polling skips it until it changes."""

    # For views and scripts

    def items(self, session_id: str) -> tuple[QueuedMessage, ...]:
        """The queued messages, in order."""
        return tuple(item for item in self._items(session_id) if not item.returned)

    def returned(self, session_id: str) -> tuple[QueuedMessage, ...]:
        """The messages that were taken back, which the message field shows until it is sent."""
        return tuple(item for item in self._items(session_id) if item.returned)

    def version(self, session_id: str) -> object:
        """Differs from an earlier one if the queue has changed, in any process; None if it is empty."""
        with storing("The queue could not be read"):
            return self._storage.queue.version(session_id)

    def is_held(self, session_id: str) -> bool:
        """Whether the queue is held, because the last answer was not completed."""
        supervisor, looked = self._supervisor, None
        # Checked again if something has changed: an answer may have ended in between, and the next one begun.
        while (version := supervisor.version(session_id)) != looked:
            looked = version
            if supervisor.is_answering(session_id):
                return False
            if not is_held(supervisor.read(session_id), self.items(session_id)):
                return False
        return not supervisor.is_answering(session_id)

    def send(
        self,
        session_id: str,
        message: str,
        owner: str | None = None,
        *,
        key: str | None = None,
        seen: str | None = None,
        files: Given = (),
        client: str | None = None,
        back: Collection[str] = (),
    ) -> Posted | QueuedMessage:
        """Accept a message as `WebChatSessionManager.post_message`, or queue it while an answer is being written.

        It replaces the messages with the keys `back`, which were taken back into its field. Raises as that does, except
        SessionBusy; LimitReached if the queue is full.
        """
        session = self._require(session_id, owner)
        sent = checked_submission(message, self._longest_message, files, key, seen, client)
        freed = sum(item.text_size for item in self.returned(session_id) if item.key in back) if back else 0
        posted = self._sent(session, replace(sent, freed=freed), back)
        self.drop_returned(session_id, back)
        return posted

    def _sent(self, session: WebChatSession, sent: Submission, back: Collection[str]) -> Posted | QueuedMessage:
        """Post the message, or queue it, unless it was queued before."""
        session_id = session.session_id
        waiting = self.items(session_id)
        known = same(waiting, sent.key, sent.text) if sent.key else None
        if known:
            return known
        if self.is_held(session_id) if waiting else not self._supervisor.is_busy(session_id):
            with suppress(SessionBusy):
                return self._rules.post(session, sent)
        return self._queue(session, sent, back)

    def _queue(self, session: WebChatSession, sent: Submission, back: Collection[str]) -> Posted | QueuedMessage:
        session_id = session.session_id
        self._store.require_known()
        self._supervisor.require_open()
        self._supervisor.require_disk()
        self._rules.require_sight(session, sent)
        key = sent.key or new_message_id()
        item = QueuedMessage(key, sent.text, sent.files, self._clock(), sent.client, pictures=sent.pictures)
        added = self._add(session, item, sent, back)
        if isinstance(added, QueuedMessage) and not self._supervisor.is_answering(session_id):
            self.send_next(session_id)  # the answer has ended, and its process may have looked too early
        return added

    def wait(self, session_id: str, key: str, owner: str | None, gone: Callable[[], bool]) -> Posted:
        """Wait until a message is sent. Raises NotWaiting if it is taken back, Held; Closing, also if `gone()`."""
        session = self._require(session_id, owner)
        with self._storage.bus.listen(session_id) as waiter:
            while not (gone() or self._supervisor.stopping.is_set()):
                waiter.clear()
                waits = any(item.key == key for item in self.items(session_id))
                posted = self._rules.sent_before(session, key, None)
                if posted and posted.has_answer:
                    return posted
                if not (waits or posted):
                    raise NotWaiting
                if self.is_held(session_id):
                    raise Held
                waiter.wait(POLL_INTERVAL)
        raise Closing

    def change(self, session_id: str, key: str, message: str, owner: str | None = None) -> QueuedMessage:
        """Edit a queued message. Raises NotWaiting, InvalidInput, TooLarge, NoRoom."""
        session = self._require(session_id, owner)
        text = checked_message(message, self._longest_message)
        with storing(NOT_QUEUED), self._storage.queue.changing(session_id) as items:
            place = self._place(session, items, key)
            item = items[place]
            items[place] = replace(item, text=text, first=item.text if item.first is None else item.first)
            changed = items[place]
            if (more := changed.text_size - item.text_size) > 0:
                self._allowance.require_room(session.owner, more)
        self._tell(session_id)
        return changed

    def take_back(self, session_id: str, key: str, owner: str | None = None, *, keep: bool) -> QueuedMessage:
        """Remove a message from the queue; with `keep` the message field shows it. Raises NotWaiting."""
        session = self._require(session_id, owner)
        with storing("The message could not be taken back"), self._storage.queue.changing(session_id) as items:
            item = items.pop(self._place(session, items, key))
            if keep:
                items.append(replace(item, returned=True))
        self._tell(session_id)
        return item

    def stop(self, session_id: str) -> bool:
        """Take back the queue and stop the answer; see `WebChatSessionManager.stop`."""
        self.take_all_back(session_id)  # otherwise the end would send the next message
        return self._supervisor.stop(session_id)

    def take_all_back(self, session_id: str) -> tuple[QueuedMessage, ...]:
        """Take back the whole queue, for the message field; returns it."""
        waiting = self.items(session_id)
        if not waiting:
            return ()
        with storing("The messages could not be taken back"), self._storage.queue.changing(session_id) as items:
            waiting = tuple(item for item in items if not item.returned)
            items[:] = [replace(item, returned=True) for item in items]
        self._tell(session_id)
        return waiting

    def files_of(
        self, session_id: str, keys: Collection[str], owner: str | None = None
    ) -> list[tuple[str, str | bytes]]:
        """The files and pictures, as (name, content), of the messages with these keys that were taken back."""
        self._require(session_id, owner)
        items = [item for item in self.returned(session_id) if item.key in keys]
        return given_again(self._storage.pictures, session_id, items)

    def drop_returned(self, session_id: str, keys: Collection[str]) -> None:
        """Drop the messages with these keys that were taken back: the field that showed them was sent."""
        if not keys or not self.returned(session_id):
            return
        with storing(NOT_QUEUED), self._storage.queue.changing(session_id) as items:
            items[:] = [item for item in items if not (item.returned and item.key in keys)]
        self._tell(session_id)

    def send_now(self, session_id: str, key: str, owner: str | None = None) -> Posted:
        """Send a held message. Raises NotWaiting, and what `post_message` raises."""
        session = self._require(session_id, owner)
        with storing("The message could not be sent"), self._storage.queue.changing(session_id) as items:
            item = items[self._place(session, items, key)]
            posted = self._rules.send_queued(session, item, after_whole=False)
            items.remove(item)
        self._tell(session_id)
        return posted

    # For ended replies and housekeeping

    def send_next(self, session_id: str) -> None:
        """Send the next message, if the last answer is complete and none is being written.

        If no slot is free, this is retried when one is. Raises StorageError, NoThreads.
        """
        try:
            with suppress(Held, SessionBusy, Closing):
                self._send_first(session_id)
        except TooBusy:
            self._without_place.add(session_id)

    def reply_is_over(self, run: ReplyRunner) -> None:
        """Send messages that waited for this answer, or for its slot."""
        places, self._without_place = self._without_place, set()
        whole = run.is_saved and run.message.status == "complete"
        for session_id in [*([run.session_id] if whole else []), *places]:
            try:
                self.send_next(session_id)
            except (WebChatError, OSError):
                log.warning("the queue of session %s could not be sent", session_id, exc_info=True)

    def send_left(self) -> None:
        """Send messages whose process has died, or for which no slot was free. Raises the first failure."""
        failure: Exception | None = None
        queued = self._storage.queued()
        self._held = {session_id: self._held[session_id] for session_id in queued if session_id in self._held}
        for session_id, version in queued.items():
            try:
                self._send_if_left(session_id, version)
            except (WebChatError, OSError) as error:
                failure = failure or error
        if failure:
            raise failure

    def _send_if_left(self, session_id: str, version: object) -> None:
        if self._held.get(session_id) == version or self._supervisor.is_answering(session_id):
            return
        self.send_next(session_id)
        if self.items(session_id) and self.is_held(session_id):
            self._held[session_id] = version

    def _send_first(self, session_id: str) -> None:
        """Raises Held, SessionBusy, TooBusy, Closing."""
        if not self.items(session_id):
            return
        with storing("The next message could not be sent"), self._storage.queue.changing(session_id) as items:
            session = self._storage.sessions.get(session_id)
            item = next((item for item in items if not item.returned), None)
            if item is None or session is None or session.deleted_at:
                return
            # If it was answered, the process died before it could remove it from the queue.
            sent = self._rules.sent_before(session, item.key, item.text)
            if not (sent and sent.has_answer):
                self._rules.send_queued(session, item, after_whole=True)
            items.remove(item)
        self._tell(session_id)

    # Internals

    def _items(self, session_id: str) -> tuple[QueuedMessage, ...]:
        with storing("The queue could not be read"):
            return self._storage.queue.items(session_id)

    def _add(
        self, session: WebChatSession, item: QueuedMessage, sent: Submission, back: Collection[str]
    ) -> Posted | QueuedMessage:
        """Append the message, unless it is queued or was sent before."""
        with storing(NOT_QUEUED), self._storage.queue.changing(session.session_id) as items:
            again = same(items, item.key, item.text) or self._rules.sent_before(session, item.key, item.text)
            if again:
                return again
            require_place(items, back)
            if not is_message_id(item.key) or any(known.key == item.key for known in items):
                item = replace(item, key=key_of(item.key, item.text))
            with self._allowance.message(session.owner, sent.more):
                self._rules.keep_pictures(session, sent)
                items.append(item)
        self._tell(session.session_id)
        return item

    def _place(self, session: WebChatSession, items: Sequence[QueuedMessage], key: str) -> int:
        """The index of the item with that key. Raises NotWaiting."""
        for place, item in enumerate(items):
            if item.key == key and not item.returned and not self._rules.sent_before(session, key, item.text):
                return place
        raise NotWaiting

    def _tell(self, session_id: str) -> None:
        self._storage.bus.publish(session_id, urgent=True)
