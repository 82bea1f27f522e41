"""Conversations of other programs on this machine: listed, searched, read, and continued here as a copy.

Nothing is ever written to those programs' files: see `webchat.programs.untouched`.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing, suppress

from webchat import threads
from webchat.chat.conversation import Conversation
from webchat.chat.message import Message
from webchat.chat.messages import Messages
from webchat.chat.search import Found, TitleQuery
from webchat.chat.session import WebChatSession
from webchat.errors import NoThreads, ReadOnlySession, SessionNotFound, storing
from webchat.programs.catalog import Catalog, Entry, measured
from webchat.programs.notices import Notices
from webchat.programs.program import Program, Read
from webchat.storage.protocols import Storage

log = logging.getLogger(__name__)
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 1.5
"""Seconds between two scans while somebody is interested, within which the duration of a scan decides."""
SHARE, TOLD_SHARE = 20, 5
"""How many times as long as a scan the pause is, and how many at least before a notice may end it."""
WANTED_FOR = 40.0
"""Seconds after which nobody is considered interested: an open page asks with each of its keep-alive events."""
FIRST_PATIENCE = 0.3
"""Seconds that the first list waits for the first scan."""
KEPT = 8
"""Conversations kept in memory after they have been read."""
INDEX = "other-programs"
"""The name of their search index in the storage."""


class OtherPrograms:
    """Safe to call from any thread. A session's id is its program's name, a dot, and the program's id for it."""

    def __init__(self, programs: Iterable[Program], storage: Storage, stopping: threading.Event) -> None:
        """`stopping` is set when the server shuts down."""
        self._programs, self._bus, self._stopping = tuple(programs), storage.bus, stopping
        self._catalog = Catalog(self._programs, self._tell)
        self._index = storage.index_of(_Texts(self), INDEX) if self._programs else None
        self._looking, self._guard = threading.Lock(), threading.Lock()
        self._read: OrderedDict[str, tuple[object, Conversation]] = OrderedDict()
        self._wanted_at = self._looked_at = float("-inf")
        self._first = threading.Event()
        """Set when the thread has ended its first scan."""
        self._is_watching = False
        self.longest_pause = LONGEST_PAUSE

    def __bool__(self) -> bool:
        return bool(self._programs)

    @property
    def version(self) -> object:
        """Differs from an earlier one if the list has changed. As long as it is read, changes wake the readers."""
        if self._programs:
            self._watch()
            self._see()
        return self._catalog.version

    @property
    def programs(self) -> Mapping[str, str]:
        """The programs that have sessions in the list: name and label."""
        if self._programs:
            self._see()
        return self._catalog.programs

    def find(self, session_id: str) -> WebChatSession | None:
        """The session; None if it is not one of these."""
        if not self._is_one(session_id):
            return None
        if self._catalog.get(session_id) is None:
            self._see()
        entry = self._catalog.get(session_id)
        return entry.session if entry else None

    def refuse(self, session_id: str) -> None:
        """Raises ReadOnlySession if it is one of these."""
        if self.find(session_id):
            raise ReadOnlySession

    def _is_one(self, session_id: str) -> bool:
        return any(session_id.startswith(f"{program.name}.") for program in self._programs)

    def page(
        self, query: TitleQuery | None, most: int | None, folder: str | None, program: str | None = None
    ) -> list[WebChatSession]:
        """The first sessions whose titles match, newest first; optionally of one folder or one program."""
        if self._programs:
            self._see()
        return self._catalog.page(query, most, folder, program)

    def by_folder(
        self, query: TitleQuery | None, folder: str | None, program: str | None = None
    ) -> Mapping[str, Sequence[WebChatSession]]:
        """The sessions of each folder whose titles match, newest first; the folder of the newest comes first."""
        self._see()
        return self._catalog.by_folder(query, folder, program)

    def working_for(self, session_id: str) -> list[WebChatSession]:
        """The sessions of subagents that worked for this one, oldest first."""
        return self._catalog.working_for(session_id)

    def conversation_version(self, session_id: str) -> object:
        """Differs from an earlier one when the conversation has changed."""
        entry = self._catalog.get(session_id)
        return entry.spotted.revision if entry else None

    def conversation(self, session_id: str) -> Conversation:
        """The conversation as its program has written it. Raises SessionNotFound, StorageError."""
        self._see()
        entry = self._catalog.get(session_id)
        if entry is None:
            raise SessionNotFound(session_id)
        with self._guard:
            kept = self._read.get(session_id)
            if kept and kept[0] == entry.spotted.revision:
                self._read.move_to_end(session_id)
                return kept[1]
        with storing("The conversation could not be read"):
            read = _read(entry)
        conversation = Conversation(
            Messages(read.messages),
            read.revision,
            read.damaged,
            program=entry.program.label,
            remark=read.remark,
        )
        with self._guard:
            self._read[session_id] = entry.spotted.revision, conversation
            while len(self._read) > KEPT:
                self._read.popitem(last=False)
        return conversation

    def search(self, query: str, limit: int, folder: str | None, program: str | None = None) -> Found:
        """The sessions with a message that has all these words, as `Search.find` says. May raise anything."""
        if self._index is None:
            return Found([], complete=True)
        self._see()
        if self._catalog.is_empty:
            return Found([], complete=self._catalog.is_complete)

        def is_wanted(session_id: str) -> bool:
            entry = self._catalog.get(session_id)
            if entry is None or entry.session is None:
                return False
            return folder in (None, entry.session.working_dir) and program in (None, entry.program.name)

        return self._index.find(query, None, is_wanted, limit)

    @property
    def are_all_known(self) -> bool:
        """Whether all sessions have been found once."""
        return self._catalog.is_complete

    def messages(self, session_id: str) -> tuple[Message, ...]:
        """A session's messages, for the index. Raises OSError."""
        entry = self._catalog.get(session_id)
        return _read(entry).messages if entry else ()

    def versions(self) -> dict[str, object]:
        """All readable sessions with their versions, the most recently written last."""
        entries = sorted(self._catalog.all(), key=lambda entry: entry.spotted.time)
        return {entry.name: entry.spotted.revision for entry in entries}

    # Looking for changes

    def _see(self) -> None:
        """Note that somebody is interested, and see that the catalogue is fresh.

        A first request scans. If another one follows soon, a thread scans from then on.
        """
        self._wanted_at = time.monotonic()
        if not self._is_watching and LONGEST_PAUSE < self._wanted_at - self._looked_at < WANTED_FOR:
            self._watch()
        if self._is_watching:
            self._first.wait(FIRST_PATIENCE)
        elif self._is_stale() and self._looking.acquire(timeout=FIRST_PATIENCE):
            try:
                if self._is_stale():
                    self._refresh(lambda: False)
            finally:
                self._looking.release()

    def _is_stale(self) -> bool:
        return time.monotonic() - self._looked_at > LONGEST_PAUSE

    def _watch(self) -> None:
        """Make sure that a thread scans for changes as long as somebody is interested."""
        with self._guard:
            if not self._is_watching:
                with suppress(NoThreads):  # then whoever asks scans
                    threads.start(self._keep_looking, "other-programs")
                    self._is_watching = True

    def _keep_looking(self) -> None:
        with closing(Notices()) as notices:
            self._look_again_and_again(notices)

    def _look_again_and_again(self, notices: Notices) -> None:
        watched = -1
        while True:
            with self._guard:
                if self._stopping.is_set() or time.monotonic() - self._wanted_at > WANTED_FOR:
                    self._is_watching = False
                    self._first.clear()
                    return
            notices.forget()
            try:
                with self._looking:
                    took = measured(lambda: self._refresh(self._stopping.is_set))
            except Exception:  # the next scan retries
                log.warning("other programs' sessions cannot be checked", exc_info=True)
                took = self.longest_pause
            self._first.set()
            before, watched = watched, self._catalog.version
            if watched != before:
                notices.watch(self._catalog.folders())
            # What was written before the folder was watched is found by a scan that comes soon.
            self._pause(notices, took, is_watched=watched == before)

    def _pause(self, notices: Notices, took: float, *, is_watched: bool) -> None:
        """Wait for the next scan, which comes early after a notice, and where none could have come."""
        pause = min(max(SHORTEST_PAUSE, (TOLD_SHARE if notices.come else SHARE) * took), self.longest_pause)
        if not self._stopping.wait(pause) and notices.come and is_watched:
            notices.wait(self.longest_pause - pause)

    def _refresh(self, is_over: Callable[[], bool]) -> None:
        """Scan for changes. Needs the lock."""
        self._catalog.refresh(is_over)
        self._looked_at = time.monotonic()

    def _tell(self, changed: Collection[str]) -> None:
        for session_id in changed:
            self._bus.publish(session_id, urgent=False)
        self._bus.publish_all(urgent=False)


class _Texts:
    """The texts to index; see `webchat.storage.search.Texts`."""

    def __init__(self, programs: OtherPrograms) -> None:
        self._programs = programs

    @property
    def is_whole(self) -> bool:
        return self._programs.are_all_known

    def messages(self, session_id: str) -> Iterable[Message]:
        return self._programs.messages(session_id)

    def sessions(self) -> Mapping[str, object]:
        return self._programs.versions()


def _read(entry: Entry) -> Read:
    """What its program has written. Raises SessionNotFound; OSError, also for data of an unexpected shape."""
    try:
        return entry.program.read(entry.spotted)
    except FileNotFoundError as error:  # its program has just removed it
        raise SessionNotFound(entry.name) from error
    except OSError:
        raise
    except Exception as error:
        log.warning("session %s cannot be parsed", entry.name, exc_info=True)
        raise OSError(errno.EINVAL, "cannot be parsed") from error
