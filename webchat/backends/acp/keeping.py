"""Sessions that an agent keeps itself: listed, and read to be gone on with here. Knows no conversation of ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from typing import Any, TypeVar

from webchat.backends import HistoryItem
from webchat.backends.abilities import OwnSession
from webchat.backends.acp import problems
from webchat.backends.acp.agent import Agent
from webchat.backends.acp.connection import CANCELLED, AgentSession, Connection
from webchat.backends.acp.opening import LONGEST_REPLAY, QUIET
from webchat.backends.acp.shapes import identity, mapping, mappings, text
from webchat.backends.acp.tool_calls import content_text
from webchat.chat.parts import LONGEST_PATH, LONGEST_TITLE
from webchat.chat.plain import one_line
from webchat.errors import BackendUnavailable, InvalidInput

MOST_LISTED, MOST_PAGES, MOST_FOLDERS = 200, 50, 20
LIST_PATIENCE, LOAD_PATIENCE = 15.0, 120.0
MOST_REPLAYED = 32 * 2**20
"""Characters of a session that is brought in."""
GONE = "This session is not there any more, or it is here already. Look at the list again."
TOO_LONG = "This session is too long to be brought in."
T = TypeVar("T")


def list_own(agent: Agent, known: set[str], folders: Sequence[str]) -> list[OwnSession]:
    """The agent's sessions but those with these ids. Raises BackendUnavailable.

    Some agents list only those of the folder that is named, others all if none is named: both are asked for.
    """
    found: dict[str, OwnSession] = {}
    with agent.in_use():
        connection = connected(agent)
        if not (connection.can("list") and connection.can("load")):
            return []
        for folder in ("", *folders[:MOST_FOLDERS]):
            for session in _pages(agent, connection, folder):
                found.setdefault(session.id, session)
    return [session for session in found.values() if session.id not in known]


def connected(agent: Agent) -> Connection:
    """The running agent. Raises BackendUnavailable."""
    return result_of(agent.connect(), None, agent)


def _pages(agent: Agent, connection: Connection, folder: str) -> Iterator[OwnSession]:
    cursor, seen = "", {""}
    for _ in range(MOST_PAGES):
        asked = {name: value for name, value in (("cwd", folder), ("cursor", cursor)) if value}
        request = connection.wire.request("session/list", asked)
        page = mapping(result_of(request, LIST_PATIENCE, agent))
        for item in mappings(page.get("sessions"), MOST_LISTED * 2):
            if session_id := text(item.get("sessionId")):
                title = one_line(text(item.get("title"))[:LONGEST_TITLE])
                cwd = text(item.get("cwd"))[:LONGEST_PATH]
                yield OwnSession(session_id, title, cwd, text(item.get("updatedAt"))[:40])
        cursor = text(page.get("nextCursor"))
        if cursor in seen:
            return
        seen.add(cursor)


def read_own(agent: Agent, own: OwnSession) -> tuple[AgentSession, list[HistoryItem]]:
    """Load one, and what was said in it. Raises BackendUnavailable, InvalidInput."""
    connection = connected(agent)
    if own.id in connection.sessions:
        raise InvalidInput(GONE)
    replay = Replay()
    session = result_of(connection.open("session/load", own.working_dir, own.id, replay), LOAD_PATIENCE, agent)
    begun = time.monotonic()
    while (now := time.monotonic()) < min(session.heard_at + QUIET, begun + LONGEST_REPLAY):
        time.sleep(session.heard_at + QUIET - now)
    session.listener = None
    if replay.is_too_long:
        session.close()
        raise BackendUnavailable(TOO_LONG)
    return session, replay.messages()


def result_of(request: Future[T], seconds: float | None, agent: Agent) -> T:
    """What the agent answers. Raises BackendUnavailable, also for an error and for none within that time."""
    try:
        return request.result(seconds)
    except Late as error:
        raise BackendUnavailable(problems.NO_ANSWER.format(agent.label)) from error
    except problems.AgentError as error:
        raise problems.of_error(error, agent.label, agent.secrets) from error


class Replay:
    """Gathers the messages of a session that is loaded; what tools did is left out."""

    ROLES: Mapping[str, str] = {"user_message_chunk": "user", "agent_message_chunk": "assistant"}

    def __init__(self) -> None:
        self._messages: list[tuple[str, list[str]]] = []
        self._message_id = ""
        self._is_broken = False
        """Whether something stood between the last text and the next."""
        self._size = 0

    @property
    def is_too_long(self) -> bool:
        return self._size > MOST_REPLAYED

    def update(self, update: Mapping[str, Any]) -> None:
        role, said = self.ROLES.get(text(update.get("sessionUpdate"))), content_text(update.get("content"))
        if role is None:
            self._is_broken = self._is_broken or "tool_call" in text(update.get("sessionUpdate"))
            return
        self._size += len(said)
        if not said or self.is_too_long or _is_reminder(role, said):
            return
        message_id = identity(update.get("messageId")) or self._message_id
        if not self._messages or self._messages[-1][0] != role:
            self._messages.append((role, []))
        elif self._is_broken or (self._message_id and message_id != self._message_id):
            self._messages[-1][1].append("\n\n")
        self._messages[-1][1].append(said)
        self._message_id, self._is_broken = message_id, False

    def ask(self, answer: Callable[[Mapping[str, Any]], None], question: Mapping[str, Any]) -> None:
        answer(CANCELLED)

    def messages(self) -> list[HistoryItem]:
        joined = [(role, "".join(texts).strip()) for role, texts in self._messages]
        return [{"role": role, "content": said} for role, said in joined if said]


def _is_reminder(role: str, said: str) -> bool:
    """Whether an agent said this to its model in the person's name."""
    return role == "user" and said.startswith("<system-reminder>") and said.rstrip().endswith("</system-reminder>")


def newest_first(sessions: Sequence[OwnSession]) -> list[OwnSession]:
    return sorted(sessions, key=lambda session: session.updated_at, reverse=True)
