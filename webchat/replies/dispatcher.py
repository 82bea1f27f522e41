"""Sends a question to the backend that answers now. Knows no rule of what may be asked, and no file."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from webchat.backends import Piece, SessionBackend, SessionOptions
from webchat.chat.message import Message, history, new_message_id
from webchat.chat.texts import title_of
from webchat.errors import SessionEnded, StorageError
from webchat.limits import CHOSEN
from webchat.replies.attached import AttachedBackend, Past, Question
from webchat.replies.runner import ReplyRunner
from webchat.replies.supervisor import ReplySupervisor
from webchat.replies.titles import Titles
from webchat.replies.turn import Turn
from webchat.session_store import WebChatSession, WebChatSessionStore
from webchat.storage.protocols import Bus

log = logging.getLogger(__name__)
NAMED_WITHIN = 4
"""Messages before an answer, at most, for the model to name the session after it."""


class ReplyDispatcher:
    """Holds the current backend, starts its replies, and does what follows each of them: notes, titles."""

    def __init__(
        self,
        backend: SessionBackend,
        store: WebChatSessionStore,
        supervisor: ReplySupervisor,
        bus: Bus,
        clock: Callable[[], str],
        context: Callable[[str | None], str],
    ) -> None:
        """`context` gives what a backend that takes it is told, for an owner, beside each conversation."""
        self._store, self._supervisor, self._bus = store, supervisor, bus
        self._clock, self._context = clock, context
        self.answerer = AttachedBackend(backend)
        self._exchange = threading.Lock()
        self._titles = Titles(store, lambda session_id: bus.publish(session_id, urgent=True))

    def use(self, backend: SessionBackend) -> None:
        """Ask this one from now on. Answers in flight end with the old one, which is then closed."""
        with self._exchange:
            old, self.answerer = self.answerer, AttachedBackend(backend)
        old.retire()

    @contextmanager
    def engaged(self) -> Iterator[AttachedBackend]:
        """The backend that answers now, kept open for a block."""
        answerer = self._engaged()
        try:
            yield answerer
        finally:
            answerer.leave()

    def end(self, session_id: str) -> None:
        """Have the backend let go of a session. Raises BackendUnavailable."""
        self.answerer.end(session_id)

    def close(self) -> None:
        """Ask for nothing any more."""
        self._titles.close()

    def begun(self, session: WebChatSession, text: str) -> WebChatSession:
        """Make the session current and begun, and note the message, which is saved: a failure here is no failure."""
        self._store.touch(session.session_id, "message")
        try:
            return self._store.begin(session.session_id, title_of(text), session.owner)
        except StorageError:
            log.warning("session %s could not be made current", session.session_id, exc_info=True)
            return session

    def begin(
        self,
        session: WebChatSession,
        question: Message,
        past: Past,
        turn: Turn,
        broken: Message | None = None,
        *,
        key: str | None = None,
        save: Callable[[], object] = lambda: None,
    ) -> ReplyRunner:
        """Have the question answered by a thread of its own; with `broken`, as more of that answer.

        `save` puts the question on the disk; see `ReplySupervisor.begin`.
        """
        session_id, answerer = session.session_id, self._engaged()
        asked = Question(answerer, session_id, question.told, past, self._told(session, answerer))
        header: dict[str, Any] = {"id": new_message_id(), "parent": question.id, "started_at": self._clock()}
        header["model"] = asked.label
        if key is not None:
            header["key"] = key
        if broken is not None:
            header |= {"id": broken.id, "extends": broken.extended}

        def ended(run: ReplyRunner) -> None:
            # After anything but a whole answer nobody knows what the backend remembers: next time it is told. After
            # "go on" it has heard something that is not in the transcript.
            whole = run.message.status == "complete" and broken is None
            answerer.learned(session_id, past, run.id if whole else None)
            if isinstance(run.error, SessionEnded):
                self._store.deactivate(session_id, session.owner)
            if not run.is_withdrawn:
                self._store.touch(session_id, "reply")
            if answerer.names_itself:
                self._titles.take(session_id, session.owner, lambda: answerer.own_title(session_id))
            elif whole and len(past) <= NAMED_WITHIN:
                self._suggest_title(session_id, session.owner, answerer)
            answerer.leave()

        def asks() -> None:
            self._store.touch(session_id, "ask")
            self._bus.publish(session_id, urgent=True)

        self._titles.step_aside(session_id)
        return self._supervisor.begin(turn, header, asked, ended, asks, save)

    def _suggest_title(self, session_id: str, owner: str | None, answerer: AttachedBackend) -> None:
        """Have a session that nobody has named yet named by the model, some time."""
        session = self._store.get(session_id, owner)
        if session is None or session.title_by or not answerer.names_sessions:
            return
        told = self._told(session, answerer)

        def ask() -> Iterable[Piece]:
            return answerer.suggest_title(history(self._supervisor.read(session_id).messages), told)

        answerer.enter()
        self._titles.suggest(session, ask, answerer.leave)

    def _engaged(self) -> AttachedBackend:
        """Who answers now, kept until it leaves."""
        with self._exchange:
            self.answerer.enter()
            return self.answerer

    def _told(self, session: WebChatSession, answerer: AttachedBackend) -> SessionOptions:
        """All that the backend is told of a session beside its messages."""
        told = options_of(session, answerer.takes)
        if "context" in answerer.takes:
            told = replace(told, context=self._context(session.owner))
        return replace(told, working_dir=session.working_dir) if "working_dir" in answerer.takes else told


def options_of(session: WebChatSession, takes: Collection[str]) -> SessionOptions:
    """What was chosen for this session, of what the backend takes."""
    chosen = {name: session.extra.get(name) for name in CHOSEN if name in takes}
    return SessionOptions(**{name: value for name, value in chosen.items() if isinstance(value, str)})
