"""Agents' controls (modes, models, options), and agents' own sessions, which can be continued here.

Knows neither Flask nor files.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import sha256

from webchat.backends import SessionOptions, abilities, project_id_of
from webchat.backends.abilities import Controls, OwnSession
from webchat.chat.agent_ids import agent_ids_of, with_agent_id
from webchat.chat.chosen import chosen_of
from webchat.chat.message import Message, history, new_message_id
from webchat.chat.texts import title_of
from webchat.errors import InvalidInput, NotYetChosen, SessionExists, WebChatError, storing
from webchat.limits import CHOSEN
from webchat.replies.attached import AttachedBackend
from webchat.replies.services import Services
from webchat.session_store import WebChatSession

log = logging.getLogger(__name__)
_OWN_NAME = re.compile(r"[0-9a-f]{32}")
FROM_AGENT, FROM_SESSION = "from_agent", "from_session"
"""Keys of a session's `extra`: the agent or program in which it was begun, and its id there."""


def anywhere(folder: str) -> bool:
    """Allows any folder."""
    return True


def own_name(own_id: str) -> str:
    """An agent's own session in URLs: a hash, since its id may have any characters."""
    return sha256(f"own\0{own_id}".encode()).hexdigest()[:32]


class AgentSessions:
    """Safe to call from any thread. Raises SessionNotFound for a session that is not the owner's."""

    def __init__(self, services: Services) -> None:
        self._store, self._storage, self._clock = services.store, services.storage, services.clock
        self._supervisor, self._current, self._empty = services.supervisor, services.current, services.empty
        self._bringing_in = threading.Lock()

    @property
    def names(self) -> list[str]:
        """The agents that a new session may choose from, the default first."""
        return self._current.attached.agents

    @property
    def caution(self) -> str:
        """What a person should know about the current backend before the first message; "" for nothing."""
        return abilities.caution_of(self._current.attached.backend)

    # Controls

    @property
    def has_controls(self) -> bool:
        """Whether sessions of the current backend may have controls."""
        return self._current.attached.is_controlled

    def controls(self, session: WebChatSession) -> Controls:
        """The session's current controls, as its next message will find them. Starts no agent."""
        return self._current.attached.controls(session.session_id, chosen_of(session.extra))

    def commands(self, session_id: str) -> Mapping[str, str]:
        """The descriptions of the commands that the session's agent knows, by their names. Starts no agent."""
        return dict(self._current.attached.controls(session_id).commands)

    def set_control(self, session_id: str, select_id: str, value: str, owner: str | None = None) -> Controls:
        """Set a control; returns the new controls.

        It is noted in the session's record, for the agent's next session and for other servers. Raises InvalidInput for
        a value that is not offered, BackendUnavailable, NotYetChosen.
        """
        session = self._store.require(session_id, owner)
        with self._current.engaged() as answerer:
            try:
                answerer.set_control(session_id, select_id, value)
            except NotYetChosen:
                self._note_choice(session, select_id, value)
                raise
            session = self._note_choice(session, select_id, value)
            return answerer.controls(session_id, chosen_of(session.extra))

    def _note_choice(self, session: WebChatSession, select_id: str, value: str) -> WebChatSession:
        session_id = session.session_id
        try:
            return self._store.note_choice(session_id, select_id, value, session.owner)
        except WebChatError:  # the agent may have changed already
            log.warning("what was chosen in session %s could not be noted", session_id, exc_info=True)
            return session
        finally:
            self._storage.bus.publish(session_id, urgent=True)

    # The agents' own sessions

    @property
    def keeps_sessions(self) -> bool:
        """Whether the current backend stores sessions of its own."""
        return self._current.attached.keeps_sessions

    def own_sessions(self, may_work_in: Callable[[str], bool] = anywhere) -> list[OwnSession]:
        """The backend's sessions that were not begun here and whose folder is allowed, newest first. Read-only.

        Raises BackendUnavailable.
        """
        with self._current.engaged() as answerer:
            found = [own for own in answerer.own_sessions() if may_work_in(own.working_dir)]
        ours = (*self._store.list_all(), *self._store.trash()) if found else ()
        begun_here = {agent_id for session in ours for agent_id in agent_ids_of(session.extra)}
        return [own for own in found if own.id not in begun_here]

    def bring_in(
        self, name: str, owner: str | None = None, may_work_in: Callable[[str], bool] = anywhere
    ) -> WebChatSession:
        """Create our session that continues that one, with all its messages; a second call returns the same one.

        `name` is the agent's session's id, or its `own_name`. Raises InvalidInput if there is none, BackendUnavailable,
        LimitReached, StorageError.
        """
        key = name if _OWN_NAME.fullmatch(name) else own_name(name)
        with self._bringing_in:
            made = self._store.made_with(key, owner)
            if made:
                return made
            self._supervisor.require_open()
            self._supervisor.require_disk()
            self._empty.make_room(owner)
            self._store.require_room(owner)
            own = next((own for own in self.own_sessions(may_work_in) if own_name(own.id) == key), None)
            if own is None:
                raise InvalidInput("The agent has no such session, or it is already here. Reload the list.")
            with self._current.engaged() as answerer:
                return self._brought_in(answerer, own.id, key, owner)

    def _brought_in(self, answerer: AttachedBackend, own_id: str, key: str, owner: str | None) -> WebChatSession:
        session_id, own, said = answerer.bring_in(own_id)
        messages = self._messages(said)
        title = title_of(own.title or (messages[0].content if messages else ""))
        named = next((name for name in answerer.agents if own_id.startswith(f"{name}/")), None)
        extra = {"project_id": project_id_of(own.working_dir), "working_dir": own.working_dir}
        extra |= {FROM_AGENT: named or answerer.label(SessionOptions()), **({"agent": named} if named else {})}
        extra = with_agent_id(extra, own_id)
        try:
            title_by = "model" if own.title else None
            session = self._store.add(session_id, title, extra, owner, key=key, title_by=title_by)
        except SessionExists:
            made = self._store.made_with(key, owner)
            if made is None:
                raise
            answerer.end(session_id)  # another process was faster
            return made
        try:
            with self._supervisor.turn(session_id), storing("The messages could not be copied"):
                self._storage.transcripts.append(session_id, *messages)
        except Exception:
            self._storage.sessions.delete([session_id], lambda name, row: None)
            raise
        answerer.has_brought(session_id, history(messages))
        return self._store.note_message(session, title)

    def _messages(self, said: Sequence[Mapping[str, str]]) -> list[Message]:
        messages: list[Message] = []
        for item in said:
            parent = messages[-1].id if messages else None
            at = self._clock()
            messages.append(Message(new_message_id(), item["role"], item["content"], parent=parent, created_at=at))
        return messages


def checked_options(given: Mapping[str, str], takes: Collection[str], agents: Collection[str]) -> dict[str, str]:
    """The options of one session. Raises InvalidInput for those that the backend does not accept."""
    for name, text in given.items():
        called = name.replace("_", " ")
        if name == "agent" and text and text not in agents:
            choice = f"Choose one of: {', '.join(agents)}." if agents else "There is none to choose from."
            raise InvalidInput(f"There is no agent {text[:100]!r} here. {choice}")
        if name not in CHOSEN or (text and name not in takes and name != "agent"):
            raise InvalidInput(f"This backend does not accept another {called} for one session.")
        if len(text) > CHOSEN[name]:
            raise InvalidInput(f"This {called} is too long: {CHOSEN[name]:,} characters at most.")
    return dict(given)
