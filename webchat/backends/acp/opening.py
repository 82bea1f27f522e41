"""Finds the agent's session that has a conversation, or starts a new one. Knows no prompt."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar

from webchat.backends import Event, HistoryItem, Piece
from webchat.backends.acp import problems
from webchat.backends.acp.agent import Agent
from webchat.backends.acp.connection import AgentSession, Connection
from webchat.backends.acp.inbox import Inbox
from webchat.backends.acp.records import Record, Records
from webchat.backends.acp.replay import Replay, wait_for_end
from webchat.backends.acp.sessions import Session
from webchat.backends.acp.transcript import digest
from webchat.backends.acp.wire import ENDED
from webchat.errors import BackendUnavailable

log = logging.getLogger(__name__)
NEW_PATIENCE, LOAD_PATIENCE = 120.0, 60.0
"""Seconds that an agent may take to start a session, and to resume one."""
NO_FOLDER = "The session's folder {!r} does not exist. Start a new session in one that exists."
T = TypeVar("T")


class Cancelled(Exception):
    """The answer was cancelled during a wait."""


class Opening:
    """Opens the agent's session for one message. `inbox` is that of the answer; cancelling the answer closes it."""

    def __init__(self, session: Session, agent: Agent, records: Records, inbox: Inbox) -> None:
        self._session, self._agent, self._records, self._inbox = session, agent, records, inbox
        self.cwd = os.path.abspath(os.path.expanduser(session.info.working_dir))  # noqa: PTH100, PTH111

    def run(self, history: Sequence[HistoryItem]) -> Generator[Piece, None, AgentSession]:
        """A session of the running agent; its digest `known` tells whether it has this history.

        Raises Cancelled, BackendUnavailable, AgentError.
        """
        if not os.path.isdir(self.cwd):  # noqa: PTH112  (a Path's would raise for a name too long)
            raise BackendUnavailable(NO_FOLDER.format(self._session.info.working_dir[:200]))
        if not self._agent.is_ready:
            yield Event("status", f"Starting {self._agent.name}")
        connection = self._connected()
        known = digest(history)
        live = yield from self._live(connection, known)
        if live:
            yield from self._choose(live, is_new=False)
            return live
        if connection.is_abandoned:
            yield Event("status", f"Starting {self._agent.name} again")
            connection = self._connected()
        yield Event("status", f"Opening a session of {self._agent.name}")
        opened = self._taken_up(connection, history) or self._new(connection)
        try:
            yield from self._choose(opened, is_new=True)
        except BaseException:
            opened.close()
            raise
        self._session.live = opened
        return opened

    def _connected(self) -> Connection:
        """The running agent, however long it takes to start: the page shows a status meanwhile, with Stop."""
        try:
            return self._wait(self._agent.connect(), None, "")
        except Cancelled:
            self._agent.give_up_start()
            raise

    def _live(self, connection: Connection, known: str) -> Generator[Piece, None, AgentSession | None]:
        """The live session, if it has exactly this conversation; otherwise it is closed."""
        live, self._session.live = self._session.live, None
        if live is None:
            return None
        if not live.is_usable or live.connection is not connection:
            if live.has_stopped and live.known:
                self._records.finish({self._session.info.session_id: live.known})
            return None
        running = live.running
        if running:
            yield Event("status", "Waiting for the last answer to end")
            if not self._inbox.wait_for(running, self._agent.bounds.cancel_patience):
                self._require_wanted()
                connection.sessions.pop(live.id, None)
                self._agent.abandon(connection)
                return None
        has_failed = live.has_failed or (running is not None and running.exception() is not None)
        has_forgotten = live.was_cancelled and connection.forgets_cancelled
        if has_failed or has_forgotten or live.known != known:
            live.close()
            return None
        self._session.live = live
        return live

    def _taken_up(self, connection: Connection, history: Sequence[HistoryItem]) -> AgentSession | None:
        """The session that had this conversation in an earlier process, resumed or loaded; None if that fails."""
        known = digest(history)
        record = self._records.get(self._session.info.session_id)
        if record and not self._session.chosen:
            self._session.chosen = dict(record.chosen)
        if record is None or not self._fits(record, known):
            return None
        if record.agent_session in connection.sessions:  # it is open already: loading would write over it
            return None
        # Some agents can only load, even if they claim to resume; and only loading shows what a killed agent has saved.
        for what in ("resume", "load") if record.is_released else ("load",):
            session = self._reopened(connection, record, what, history) if connection.can(what) else None
            if session:
                session.known = known
                return session
        # Do not try again: if loading this session crashes the agent, it would do so each time.
        self._records.put(self._session.info.session_id, replace(record, is_finished=False))
        if connection.is_over:
            raise BackendUnavailable(ENDED)
        return None

    def _reopened(
        self, connection: Connection, record: Record, what: str, history: Sequence[HistoryItem]
    ) -> AgentSession | None:
        """The agent's session after its replay; None if it cannot be opened in this way, or its end is missing."""
        replay = Replay()
        opening = connection.open(f"session/{what}", self.cwd, record.agent_session, replay)
        try:
            session = self._wait(opening, LOAD_PATIENCE, "")
            wait_for_end(session, lambda: what != "load" or replay.has(history), self._pause)
        except (problems.AgentError, BackendUnavailable):
            log.info("%s could not %s its session", self._agent.name, what, exc_info=True)
            return None
        session.listener = None
        if what == "load" and not record.is_released and not replay.has(history):
            log.warning("%s has not saved the end of its session", self._agent.name)
            session.close()
            return None
        return session

    def _fits(self, record: Record, known: str) -> bool:
        same = (record.cwd, record.known) == (self.cwd, known) and record.agent in self._agent.names
        return same and record.is_finished and not record.is_held_elsewhere

    def _pause(self, seconds: float) -> None:
        """Wait for so many seconds. Raises Cancelled."""
        self._inbox.pause(seconds)
        self._require_wanted()

    def _new(self, connection: Connection) -> AgentSession:
        late = problems.NO_SESSION.format(self._agent.label, NEW_PATIENCE)
        opening = connection.open("session/new", self.cwd)
        try:
            session = self._wait(opening, NEW_PATIENCE, late)
        except Cancelled:
            opening.add_done_callback(_close)
            raise
        session.known = digest(())
        return session

    def _choose(self, live: AgentSession, *, is_new: bool) -> Generator[Piece, None, None]:
        """Set what the person has chosen: in a new session of the agent everything, else what is pending."""
        session, chosen = self._session, self._session.options.chosen
        for select_id, value in (session.wanted(chosen) if is_new else session.pending(chosen)).items():
            session.note(select_id, value, (yield from self._set(live, select_id, value)))
        session.revision = max(session.revision, chosen.revision)

    def _set(self, live: AgentSession, select_id: str, value: str) -> Generator[Piece, None, Future[Any] | None]:
        """Set one of them, unless the agent has it already. Returns the agent's response if it is late."""
        if live.choices.is_chosen(select_id, value):
            return None
        name = live.choices.name_of(select_id)
        setting = live.choose(select_id, value) if live.choices.is_offered(select_id, value) else None
        if setting:
            yield Event("status", f"Setting “{name}”")
        if setting and not self._is_done(setting, self._agent.bounds.choice_patience):
            yield Event("note", problems.NOT_YET_SET.format(self._agent.label, name))
            return setting
        if setting is None or setting.exception():
            yield Event("note", problems.NOT_CHOSEN.format(name))
        return None

    def _wait(self, future: Future[T], seconds: float | None, late: str) -> T:
        """The future's result. Raises Cancelled, BackendUnavailable(late), and the future's exception."""
        if not self._is_done(future, seconds):
            raise BackendUnavailable(late)
        return future.result()

    def _is_done(self, future: Future[T], seconds: float | None) -> bool:
        """Wait for the future; returns whether it is done. Raises Cancelled."""
        is_done = self._inbox.wait_for(future, seconds)
        self._require_wanted()
        return is_done

    def _require_wanted(self) -> None:
        if self._inbox.is_closed:
            raise Cancelled


def _close(opening: Future[AgentSession]) -> None:
    if not opening.exception():
        opening.result().close()
