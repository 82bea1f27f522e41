"""The backend for agents: maps our sessions to the agents that answer them. Knows no JSON-RPC."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

from webchat.backends import HistoryItem, SessionInfo, SessionOptions
from webchat.backends.abilities import Controls, OwnSession
from webchat.backends.acp import keeping, problems
from webchat.backends.acp.agent import Agent
from webchat.backends.acp.bounds import Bounds
from webchat.backends.acp.names import former_names_of, names_of
from webchat.backends.acp.records import Record, Records
from webchat.backends.acp.sessions import Session, Sessions
from webchat.backends.acp.transcript import digest
from webchat.backends.acp.turn import Turn
from webchat.backends.pictures import GivenPicture
from webchat.chat.chosen import Chosen
from webchat.errors import BackendUnavailable, InvalidInput, NotYetChosen
from webchat.fileutil import Folder

NOT_ALIVE = "The agent offers no such choice. Send a message first: the choices are known once the agent is running."


CAUTION = (
    "The agent reads and changes files and runs programs on the server's machine. Its own settings decide what it "
    "asks you about first; some agents never ask."
)


class AcpBackend:
    """A SessionBackend over agents that speak the Agent Client Protocol, each started by a command.

    The first agent answers, unless a session chooses another before its first message. `folder` has the file that maps
    conversations to the agents' sessions; without a folder this is kept in memory only. `environ` is the agents'
    environment. An agent is ended after `idle` seconds without use; 0: never.
    """

    only_speaks = False
    titles = False
    caution = CAUTION

    def __init__(
        self,
        commands: Sequence[str | Sequence[str]],
        *,
        folder: Folder | None = None,
        environ: Mapping[str, str] | None = None,
        idle: float = 0.0,
    ) -> None:
        """Each command is a program and its arguments, or one string in shell syntax. A single string is one command.

        Raises InvalidInput.
        """
        commands = [commands] if isinstance(commands, str) else commands
        try:
            parsed = [shlex.split(command) if isinstance(command, str) else command for command in commands]
        except ValueError:
            parsed = []
        if not parsed or not all(parsed):
            raise InvalidInput("An agent must be a command, for example opencode acp.")
        environ = dict(os.environ if environ is None else environ)
        self.bounds = bounds = Bounds()
        names = list(zip(names_of(parsed), former_names_of(parsed), strict=True))
        agents = [Agent(each, command, environ, idle, bounds) for each, command in zip(names, parsed, strict=True)]
        self._agents = {agent.name: agent for agent in agents}
        self._by_any_name = {agent.names[1]: agent for agent in agents} | self._agents
        self._default = next(iter(self._agents.values()))
        self._records = Records(folder)
        self._sessions = Sessions()

    # Who answers

    @property
    def label(self) -> str:
        return self._default.label

    def label_of(self, options: SessionOptions) -> str:
        return self._by_any_name.get(options.agent, self._default).label

    @property
    def notice(self) -> str | None:
        return None if self._default.is_installed else problems.NOT_FOUND.format(self._default.program)

    def check(self) -> str | None:
        """Check that the first agent's command is installed; starts nothing."""
        return None if self._default.is_installed else "The agent's command is not installed."

    @property
    def agents(self) -> list[str]:
        """The agents that a session may choose from."""
        return list(self._agents)

    @property
    def session_options(self) -> frozenset[str]:
        return frozenset({"working_dir", "agent"} if len(self._agents) > 1 else {"working_dir"})

    def configure_session(self, session_id: str, options: SessionOptions) -> None:
        """The agent is fixed once a session has one. Raises SessionUnknown and SessionEnded."""
        session = self._sessions.live(session_id)
        session.options = options
        self._records.hold_back(session_id, held=options.temporary)
        if options.working_dir:
            self._sessions.place(session, options.working_dir)

    def close(self) -> None:
        alive = self._sessions.alive()
        self._records.release([key for key, live in alive.items() if not live.was_cancelled])
        # Cancelled sessions are not released: only loading shows whether the agent has saved the partial answer.
        self._records.finish({key: live.known for key, live in alive.items() if live.has_stopped and live.known})
        for agent in self._agents.values():
            agent.close()

    # Sessions

    def create_session(self, working_dir: str = "~", description: str = "") -> SessionInfo:
        return self._sessions.create(working_dir).info

    def resume_session(self, session_id: str, history: Sequence[HistoryItem]) -> SessionInfo:
        record = self._records.get(session_id)
        return self._sessions.resume(session_id, history, record.cwd if record else "~").info

    def sees(self, options: SessionOptions) -> bool | None:
        return self._by_any_name.get(options.agent, self._default).sees

    def send_message(self, session_id: str, message: str, pictures: Sequence[GivenPicture] = ()) -> Turn:
        """Raises SessionUnknown, SessionEnded and BackendUnavailable, the last also while the answer is iterated."""
        session = self._sessions.live(session_id)
        session.turn = Turn(session, self._agent_of(session), self._records, message, pictures)
        return session.turn

    def end_session(self, session_id: str) -> None:
        session = self._sessions.end(session_id)
        self._records.forget_held(session_id)
        if session is None:
            return
        if session.turn:
            session.turn.cancel()
        if session.live and session.live.is_usable:
            session.live.close()

    def get_session_info(self, session_id: str) -> SessionInfo | None:
        session = self._sessions.find(session_id)
        return session.info if session else None

    def own_title(self, session_id: str) -> str | None:
        """What the agent calls the session."""
        session = self._sessions.find(session_id)
        return session.live.title if session and session.live else None

    # Questions and choices

    def answer_permission(self, session_id: str, permission_id: str, option_id: str) -> None:
        """Raises InvalidInput for an option that the question does not have."""
        session = self._sessions.find(session_id)
        if session and session.turn:
            session.turn.answer(permission_id, option_id)

    def controls(self, session_id: str) -> Controls:
        session = self._sessions.find(session_id)
        return session.live.choices.controls if session and session.live and session.live.is_usable else Controls()

    def pending_choices(self, session_id: str, chosen: Chosen) -> dict[str, str]:
        session = self._sessions.find(session_id)
        return session.pending(chosen) if session else {}

    def set_control(self, session_id: str, select_id: str, value: str) -> None:
        """Raises InvalidInput, BackendUnavailable, NotYetChosen, SessionUnknown."""
        session = self._sessions.live(session_id)
        live = session.live
        if live is None or not live.is_usable or not live.choices.is_offered(select_id, value):
            raise InvalidInput(NOT_ALIVE)
        agent = self._agent_of(session)
        with agent.in_use():
            response = live.choose(select_id, value)
            confirmed = keeping.has_result(response, self.bounds.choice_patience, agent)
        session.note(select_id, value, None if confirmed else response)
        record = self._records.get(session_id)
        if record:
            self._records.put(session_id, replace(record, chosen=session.chosen))
        if not confirmed:
            raise NotYetChosen(problems.NOT_YET_CHOSEN.format(agent.label))

    # The agents' own sessions

    def own_id(self, session_id: str) -> str | None:
        session = self._sessions.find(session_id)
        return f"{self._agent_of(session).name}/{session.live.id}" if session and session.live else None

    def own_sessions(self) -> list[OwnSession]:
        found: list[OwnSession] = []
        failure: BackendUnavailable | None = None
        for agent in self._agents.values():
            try:
                listed = self._own_of(agent)
            except BackendUnavailable as error:
                failure = error
            else:
                found += [replace(own, id=f"{agent.name}/{own.id}") for own in listed]
        if failure and not found:
            raise failure
        return keeping.newest_first(found)[: keeping.MOST_LISTED]

    def bring_in(self, own_id: str) -> tuple[str, OwnSession, list[Mapping[str, str]]]:
        name, _, its_id = own_id.partition("/")
        agent = self._by_any_name.get(name)
        if agent is None:
            raise InvalidInput(keeping.GONE)
        own = next((own for own in self._own_of(agent) if own.id == its_id), None)
        if own is None:
            raise InvalidInput(keeping.GONE)
        with agent.in_use():
            live, history = keeping.read_own(agent, own)
        session = self._sessions.create(own.working_dir)
        session.history, session.live, session.agent = list(history), live, name
        live.known = digest(history)
        record = Record(name, live.id, live.cwd, live.known, holder=os.getpid())
        self._records.put(session.info.session_id, record)
        return session.info.session_id, replace(own, id=own_id), history

    # Inside

    def _own_of(self, agent: Agent) -> list[OwnSession]:
        return keeping.list_own(agent, self._records.sessions_of(agent.names), self._records.folders())

    def _agent_of(self, session: Session) -> Agent:
        """The agent that has answered in this session, else the chosen one, else the first.

        Raises BackendUnavailable if the agent that has answered is not set up any more: another would work unasked.
        """
        if not session.agent:
            record = self._records.get(session.info.session_id)
            session.agent = record.agent if record else ""
        if session.agent and session.agent not in self._by_any_name:
            raise BackendUnavailable(problems.OTHER_AGENT.format(session.agent, self._default.label))
        return self._by_any_name.get(session.agent) or self._by_any_name.get(session.options.agent) or self._default
