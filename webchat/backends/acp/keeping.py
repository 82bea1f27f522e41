"""An agent's own sessions: lists and loads them, to be continued here. Knows no conversation of ours."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as Late
from typing import TypeVar

from webchat.backends import HistoryItem
from webchat.backends.abilities import OwnSession
from webchat.backends.acp import problems
from webchat.backends.acp.agent import Agent
from webchat.backends.acp.connection import AgentSession, Connection
from webchat.backends.acp.replay import Replay, wait_for_end
from webchat.backends.acp.shapes import mapping, mappings, text
from webchat.chat.parts import LONGEST_PATH, LONGEST_TITLE
from webchat.chat.plain import one_line
from webchat.errors import BackendUnavailable, InvalidInput

MOST_LISTED, MOST_PAGES, MOST_FOLDERS = 200, 50, 20
LIST_PATIENCE, LOAD_PATIENCE = 15.0, 120.0
"""Seconds that an agent may take to list its sessions, and to load one."""
GONE = "This session no longer exists, or it is already here. Reload the list."
TOO_LONG = "This session is too long to be opened here."
T = TypeVar("T")


def list_own(agent: Agent, known: set[str], folders: Sequence[str]) -> list[OwnSession]:
    """The agent's sessions except those with these ids. Raises BackendUnavailable.

    Some agents list only the sessions of the given folder, others list all without one: both are requested.
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
    """The running agent; if it starts too slowly, it goes on in the background. Raises BackendUnavailable."""
    return result_of(agent.connect(), agent.bounds.start_patience, agent)


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
    """Load a session with its messages. Raises BackendUnavailable, InvalidInput."""
    connection = connected(agent)
    if own.id in connection.sessions:
        raise InvalidInput(GONE)
    replay = Replay()
    session = result_of(connection.open("session/load", own.working_dir, own.id, replay), LOAD_PATIENCE, agent)
    wait_for_end(session, lambda: replay.ends_with_answer, time.sleep)
    session.listener = None
    if replay.is_too_long:
        session.close()
        raise BackendUnavailable(TOO_LONG)
    return session, replay.messages()


def result_of(request: Future[T], seconds: float, agent: Agent) -> T:
    """The agent's response. Raises BackendUnavailable if it is an error, or late."""
    try:
        return request.result(seconds)
    except Late as error:
        raise BackendUnavailable(problems.NO_ANSWER.format(agent.label)) from error
    except problems.AgentError as error:
        raise problems.of_error(error, agent.label, agent.secrets) from error


def has_result(request: Future[T], seconds: float, agent: Agent) -> bool:
    """Whether the agent has responded in time. Raises BackendUnavailable if the response is an error."""
    if not wait([request], seconds).done:
        return False
    result_of(request, 0, agent)
    return True


def newest_first(sessions: Sequence[OwnSession]) -> list[OwnSession]:
    return sorted(sessions, key=lambda session: session.updated_at, reverse=True)
