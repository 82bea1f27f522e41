"""Sends questions to the current backend. Knows no rule of the conversation, and no file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from webchat.backends import Piece, SessionOptions
from webchat.chat.message import Message, history, new_message_id
from webchat.chat.picture import SentPicture
from webchat.errors import SessionEnded
from webchat.replies.attached import AttachedBackend, Past, Question
from webchat.replies.current_backend import options_of
from webchat.replies.launcher import FollowUp
from webchat.replies.runner import ReplyRunner
from webchat.replies.services import Services
from webchat.replies.titles import Titles
from webchat.replies.turn import Turn
from webchat.session_store import WebChatSession

log = logging.getLogger(__name__)
NAMED_WITHIN = 4
"""The model names a session after an answer with at most so many messages before it."""


class ReplyDispatcher:
    """Starts replies of the current backend; notes activity and suggests a title after each."""

    def __init__(self, services: Services, context: Callable[[str | None], str]) -> None:
        """`context` returns an owner's memories, for backends that accept them."""
        self._current, self._store, self._supervisor = services.current, services.store, services.supervisor
        self._bus, self._clock, self._context = services.storage.bus, services.clock, context
        self._titles = Titles(self._store, lambda session_id: self._bus.publish(session_id, urgent=True))

    def close(self) -> None:
        """Stop asking for titles."""
        self._titles.close()

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
        """Start a reply to the question; with `broken` it continues that answer.

        `save` stores the question; see `ReplyLauncher.launch`.
        """
        session_id, answerer = session.session_id, self._current.engage()
        options = self._options_for(session, answerer)
        asked = Question(answerer, session_id, question.full_text, past, options, question.pictures)
        header: dict[str, Any] = {"id": new_message_id(), "parent": question.id, "started_at": self._clock()}
        header["model"] = asked.label
        if key is not None:
            header["key"] = key
        if broken is not None:
            header |= {"id": broken.id, "extends": broken.extended}
        self._titles.step_aside(session_id)
        ended = partial(self._note_end, session, answerer, past, is_new=broken is None)
        follow_up = FollowUp(partial(self._note_question, session), ended)
        return self._supervisor.launcher.launch(turn, header, asked, follow_up, save)

    def require_sight(self, session: WebChatSession, pictures: Collection[SentPicture]) -> None:
        """Raises InvalidInput if it is known that this session's model cannot see pictures, and there are any."""
        self._current.require_sight(options_of(session, self._current.attached.takes), pictures)

    def _note_question(self, session: WebChatSession) -> None:
        """Note that the person was asked something in this session, or has answered."""
        self._store.touch(session.session_id, "ask")
        self._bus.publish(session.session_id, urgent=True)

    def _note_end(
        self, session: WebChatSession, answerer: AttachedBackend, past: Past, run: ReplyRunner, *, is_new: bool
    ) -> None:
        """Note how a reply has ended, and ask for a title. `is_new`: it does not continue an earlier answer."""
        # Unless the answer is complete, the backend's state is unknown, and the next question resumes the session.
        # After "continue" it has seen a message that is not in the transcript.
        whole = run.message.status == "complete" and is_new
        answerer.learned(session.session_id, past, run.id if whole else None)
        if isinstance(run.error, SessionEnded):
            self._store.deactivate(session.session_id, session.owner)
        if not run.is_withdrawn:
            self._store.touch(session.session_id, "reply")
        self._note_agent_id(session, answerer)
        if session.temporary:
            pass  # a temporary session gets no title: it would stay in the browser's history
        elif answerer.names_itself:
            self._titles.take(session.session_id, session.owner, lambda: answerer.own_title(session.session_id))
        elif whole and len(past) <= NAMED_WITHIN:
            self._suggest_title(session.session_id, session.owner, answerer, reasons=bool(run.message.reasoning))
        answerer.leave()

    def _note_agent_id(self, session: WebChatSession, answerer: AttachedBackend) -> None:
        """Note the agent's id of the session, so that no server offers it as begun elsewhere. Never raises."""
        try:
            agent_id = None if session.temporary else answerer.own_id(session.session_id)
            if agent_id:
                self._store.note_agent_id(session.session_id, agent_id, session.owner)
        except Exception:
            log.info("the agent's id of session %s could not be noted", session.session_id, exc_info=True)

    def _suggest_title(self, session_id: str, owner: str | None, answerer: AttachedBackend, *, reasons: bool) -> None:
        """Ask the model for a title, in the background, if the session has none yet.

        `reasons`: the model has reasoned before its answer.
        """
        session = self._store.get(session_id, owner) if answerer.names_sessions else None
        if session is None or session.title_by:
            return
        options = self._options_for(session, answerer)

        def ask() -> Iterable[Piece]:
            return answerer.suggest_title(history(self._supervisor.read(session_id).messages), options)

        answerer.enter()
        self._titles.suggest(session, ask, answerer.leave, reasons=reasons)

    def _options_for(self, session: WebChatSession, answerer: AttachedBackend) -> SessionOptions:
        """The options that the backend receives with a session's messages."""
        options = replace(options_of(session, answerer.takes), temporary=session.temporary, owner=session.owner)
        if "context" in answerer.takes and not session.temporary:
            options = replace(options, context=self._context(session.owner))
        return replace(options, working_dir=session.working_dir) if "working_dir" in answerer.takes else options
