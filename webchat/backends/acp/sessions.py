"""Our sessions in memory. Knows no process and no file."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from webchat.backends import HistoryItem, SessionInfo, SessionOptions, project_id_of
from webchat.chat.chosen import Chosen
from webchat.errors import SessionEnded, SessionUnknown
from webchat.limits import drop_oldest

if TYPE_CHECKING:
    from webchat.backends.acp.connection import AgentSession
    from webchat.backends.acp.turn import Turn

MAX_SESSIONS, MAX_CHARACTERS = 1_000, 64 * 2**20
"""Sessions that are kept; the least recently used ones are forgotten, and resumed with their history when needed."""


@dataclass
class Session:
    """One conversation: its history, and the agent's live session for it, if there is one."""

    info: SessionInfo
    history: list[HistoryItem] = field(default_factory=list)
    options: SessionOptions = SessionOptions()
    ended: bool = False
    live: AgentSession | None = None
    agent: str = ""
    """The name of the agent that has answered in it."""
    turn: Turn | None = None
    """The latest answer, while it runs."""
    chosen: dict[str, str] = field(default_factory=dict)
    """The choices that a person has made, to be set again in the next session of the agent."""
    responses: dict[str, Future[Any]] = field(default_factory=dict)
    """The agent's responses to those of them that were late. Until it confirms one, it is set with each message."""
    revision: int = 0
    """That of the choices in the options when they were last set."""

    def wanted(self, chosen: Chosen) -> dict[str, str]:
        """What the person has chosen here or, as noted in `chosen`, elsewhere."""
        return {**self.chosen, **chosen.values} if chosen.revision > self.revision else self.chosen

    def pending(self, chosen: Chosen) -> dict[str, str]:
        """What of it the agent's live session does not have yet.

        The rest is left alone: an agent may have changed its mode itself, as some do at the end of a plan.
        """
        wanted = self.wanted(chosen).items()
        return {key: value for key, value in wanted if self.chosen.get(key) != value or not self._is_settled(key)}

    def note(self, select_id: str, value: str, response: Future[Any] | None) -> None:
        """Note what a person has chosen; `response` is that of the agent's session, if there is anything to await."""
        self.chosen = {**self.chosen, select_id: value}
        others = {key: each for key, each in self.responses.items() if key != select_id}
        self.responses = {**others, select_id: response} if response else others

    def _is_settled(self, select_id: str) -> bool:
        response = self.responses.get(select_id)
        return response is None or (response.done() and not response.exception())

    @property
    def size(self) -> int:
        return sum(len(str(item.get("content", ""))) for item in self.history)


class Sessions:
    """All of them, by id. Raises SessionUnknown and SessionEnded."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()

    def create(self, working_dir: str) -> Session:
        return self._put(Session(SessionInfo(str(uuid.uuid4()), project_id_of(working_dir), working_dir)))

    def resume(self, session_id: str, history: Sequence[HistoryItem], working_dir: str) -> Session:
        """Resume a session with this history; an unknown one is created for `working_dir`."""
        with self._lock:
            session = self._sessions.get(session_id)
        if session is None:
            return self._put(Session(SessionInfo(session_id, project_id_of(working_dir), working_dir), list(history)))
        session.history, session.ended = list(history), False
        return session

    def live(self, session_id: str) -> Session:
        with self._lock:
            session = self._sessions.get(session_id)
            if session is None:
                raise SessionUnknown(session_id)
            if session.ended:
                raise SessionEnded
            self._sessions.move_to_end(session_id)
            return session

    def find(self, session_id: str) -> Session | None:
        """The session; None if it is unknown or has ended."""
        session = self._sessions.get(session_id)
        return session if session and not session.ended else None

    def alive(self) -> dict[str, AgentSession]:
        """The agents' live sessions without a running answer, by the id of our session."""
        with self._lock:
            lives = {key: each.live for key, each in self._sessions.items() if each.live}
        return {key: live for key, live in lives.items() if live.is_usable and not live.running}

    def end(self, session_id: str) -> Session | None:
        session = self._sessions.get(session_id)
        if session:
            session.ended, session.history = True, []
        return session

    def place(self, session: Session, working_dir: str) -> None:
        """Set the session's folder."""
        session.info = replace(session.info, working_dir=working_dir, project_id=project_id_of(working_dir))

    def _put(self, session: Session) -> Session:
        with self._lock:
            self._sessions[session.info.session_id] = session
            forgotten = drop_oldest(self._sessions, lambda each: each.size, MAX_SESSIONS, MAX_CHARACTERS)
            for live in (each.live for each in forgotten):
                if live and live.is_usable and not live.running:
                    live.close()
        return session
