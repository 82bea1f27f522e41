"""Renames, pins, archives, deletes, restores and purges sessions. Knows neither Flask nor files."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress

from webchat import threads
from webchat.chat.texts import checked_title
from webchat.errors import InvalidInput, SessionBusy, SessionNotFound, WebChatError
from webchat.replies.services import Services
from webchat.session_store import WebChatSession
from webchat.temporary_chats import TemporaryChats

log = logging.getLogger(__name__)
DAY = 24 * 3600.0
LOOK_INTERVAL = 0.5
"""Seconds between two checks for new transcripts in the folder; a check is one `stat`."""
EMPTY_INTERVAL = 3600.0
"""Seconds between two checks for expired sessions in the trash."""
AFTER_TROUBLE = 2.0
"""Seconds between retries while files cannot be read or written."""
AT_ONCE = 200
"""Sessions that are purged together: each lock takes a file descriptor."""
TRASH_DAYS = 30.0
"""The default number of days for which a deleted session can be restored."""


class Housekeeping:
    """Operations on whole sessions.

    Each call on several sessions is one write, all or nothing. Raises SessionNotFound for one that does not exist,
    belongs to somebody else, or (except for `restore` and `purge`) is in the trash; ReadOnlySession for another
    program's; StorageError.
    """

    def __init__(
        self,
        services: Services,
        temporary: TemporaryChats,
        trash_days: float,
        refuse: Callable[[str], None],
        send_left: Callable[[], None],
        chores: Collection[Callable[[], None]],
    ) -> None:
        """`trash_days` is for how long a deleted session is kept. `refuse` raises if a session cannot be changed here.

        `send_left` sends messages left in queues; it is called regularly. `chores` are called whenever the trash
        is emptied.
        """
        self._store, self._storage, self._supervisor = services.store, services.storage, services.supervisor
        self._current, self._empty, self._longest_title = services.current, services.empty, services.limits.title
        self._temporary, self.trash_days, self._taken_in = temporary, trash_days, False
        self.look_interval, self.after_trouble = LOOK_INTERVAL, AFTER_TROUBLE
        self._refuse, self._send_left, self._chores = refuse, send_left, chores

    def rename(self, session_id: str, title: str, owner: str | None = None) -> WebChatSession:
        """Give the session this title, which no model replaces. Raises InvalidInput."""
        self._refuse(session_id)
        self._store.name(session_id, checked_title(title, self._longest_title), owner, by="person")
        return self._changed(session_id, owner)

    def pin(self, session_ids: Collection[str], owner: str | None = None, *, pinned: bool = True) -> None:
        """Pin sessions above all others in the list, or unpin them."""
        self._mark(session_ids, owner, "pinned", pinned)

    def archive(self, session_ids: Collection[str], owner: str | None = None, *, archived: bool = True) -> None:
        """Archive sessions, which hides them from the list, or unarchive them.

        A new message in one unarchives it, too.
        """
        self._mark(session_ids, owner, "archived", archived)

    def delete(self, session_ids: Collection[str], owner: str | None = None) -> str:
        """Move sessions to the trash and stop their answers; returns the time, which identifies this deletion.

        Temporary ones are gone at once; "" if there are no others. Idempotent: if all are in the trash already, their
        time is returned again.
        """
        there = {session.session_id: session.deleted_at or "" for session in self.trash(owner)}
        left = [session_id for session_id in session_ids if session_id not in there]
        if not left and session_ids:
            return max(there[session_id] for session_id in session_ids)
        self._store.require_known()
        for session_id in left:
            self._refuse(session_id)
            self._store.require(session_id, owner)
        others = self._temporary.end_among(left, owner)
        deleted_at = self._throw_away(others, owner) if others or not left else ""
        self._tell(others)
        return deleted_at

    def _throw_away(self, session_ids: Collection[str], owner: str | None) -> str:
        """Stop these sessions' answers and move them to the trash; returns the time."""
        for session_id in session_ids:
            self._supervisor.stop(session_id)
            self._current.let_go(session_id)
        mark = self._store.trash_mark()
        self._store.mark(session_ids, mark, owner)
        return str(mark["deleted_at"])

    def trash(self, owner: str | None = None) -> list[WebChatSession]:
        """The sessions that can be restored, the last deleted first."""
        expired = {*self._store.expired(self.trash_days * DAY)}
        return [session for session in self._store.trash(owner) if session.session_id not in expired]

    def deleted_together(self, deleted_at: str, owner: str | None = None) -> list[str]:
        """The ids of the sessions that were deleted at that time and are still in the trash."""
        return [session.session_id for session in self.trash(owner) if session.deleted_at == deleted_at]

    def restore(self, session_ids: Collection[str], owner: str | None = None) -> None:
        """Restore sessions from the trash. Idempotent."""
        left = [session_id for session_id in session_ids if self._store.get(session_id, owner) is None]
        for session_id in left:
            self._refuse(session_id)
        if left:
            self._empty.make_room(owner, len(left))
            with self._storage.without_purges():
                self._store.restore(left, owner)
        self._tell(left)

    def purge(self, session_ids: Collection[str], owner: str | None = None) -> None:
        """Delete sessions in the trash for good, with their transcripts."""
        known = {session.session_id for session in self._store.trash(owner)}
        for session_id in session_ids:
            self._refuse(session_id)
            if session_id not in known:
                raise SessionNotFound(session_id)
        self._purge(session_ids)

    def purge_all(self, owner: str | None) -> int:
        """Delete all of a person's sessions for good, at once; returns how many.

        Raises SessionBusy while an answer is written in one of them; some may be gone then.
        """
        gone = 0
        while found := [session.session_id for session in self._store.list_all(owner)[:AT_ONCE]]:
            others = self._temporary.end_among(found, owner)
            if others:
                self._throw_away(others, owner)
                self._purge(others)
            gone += len(found)
        while found := [session.session_id for session in self._store.trash(owner)[:AT_ONCE]]:
            self._purge(found)
            gone += len(found)
        return gone

    def adopt(self) -> list[str]:
        """Add records for transcripts without one: copied, restored or synced; returns their ids."""
        return self._storage.adopt()

    def settle(self, session_id: str) -> None:
        """Move the part of an answer that a dead server has left into the transcript.

        Raises SessionBusy, StorageError.
        """
        with self._supervisor.turn(session_id):
            pass

    def empty_expired(self) -> None:
        """Delete everything that has expired in the trash for good, of every owner."""
        if not self._storage.sessions.read_only:
            self._storage.recover()
            expired = self._store.expired(self.trash_days * DAY)
            for start in range(0, len(expired), AT_ONCE):  # others may purge and restore between two batches
                self._purge_expired(expired[start : start + AT_ONCE])
        for chore in self._chores:
            chore()

    def start(self) -> None:
        """See `WebChatSessionManager.keep_house`."""
        with suppress(WebChatError, OSError):  # the thread retries and logs
            # Before the first page is shown: until an answer is settled, it looks as if it were being written.
            self.take_in()
            self._storage.bus.start()
        threads.start(self._keep, "housekeeping", self._supervisor.stopping)

    def _keep(self, stopping: threading.Event) -> None:
        """Do what `WebChatSessionManager.keep_house` says, until `stopping` is set."""
        emptied, failing = float("-inf"), False
        while not stopping.wait(self.after_trouble if failing else self.look_interval):
            try:
                self._temporary.end_disabled()
                self.take_in()
                self.adopt()
                self._send_left()
                self._temporary.end_left()
                if time.monotonic() - emptied > EMPTY_INTERVAL:
                    self.empty_expired()
                    emptied = time.monotonic()
                failing = False
            except Exception:  # the thread must go on
                if not failing:  # log it once
                    log.warning("housekeeping failed; it will be tried again", exc_info=True)
                failing = True

    def take_in(self) -> None:
        """Move answers that dead processes have left into the transcripts, once. Raises StorageError."""
        if not self._taken_in:
            self._storage.recover()
            self._supervisor.settle_left()
            self._taken_in = True

    def _purge_expired(self, session_ids: Collection[str]) -> None:
        """Purge all together or, if one of them is busy, each of the others."""
        try:
            if session_ids:
                self._purge(session_ids)
        except SessionBusy:
            for session_id in session_ids if len(session_ids) > 1 else ():
                with suppress(SessionBusy):
                    self._purge([session_id])

    def _purge(self, session_ids: Collection[str]) -> None:
        self._store.require_known()
        self._storage.purge(session_ids, lambda: self._store.remove(session_ids))
        self._supervisor.forget(session_ids)
        self._storage.search.forget_gone()
        self._tell(session_ids)

    def _mark(self, session_ids: Collection[str], owner: str | None, field: str, value: bool) -> None:
        if not session_ids:
            raise InvalidInput("Choose a session first.")
        for session_id in session_ids:
            self._refuse(session_id)
        if any(self._store.require(session_id, owner).temporary for session_id in session_ids):
            raise InvalidInput("A temporary chat cannot be pinned or archived. Keep it first.")
        self._store.mark(session_ids, {field: value}, owner)
        self._tell(session_ids)

    def _changed(self, session_id: str, owner: str | None) -> WebChatSession:
        self._tell([session_id])
        return self._store.require(session_id, owner)

    def _tell(self, session_ids: Collection[str]) -> None:
        """Wake the pages of these sessions; others see a change of the list at their next poll."""
        for session_id in session_ids:
            self._storage.bus.publish(session_id, urgent=True)
