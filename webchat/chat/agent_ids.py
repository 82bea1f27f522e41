"""Under which ids a session's agent stores it, noted in the session's record for all servers. Knows no agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AGENT_IDS = "agent_sessions"
"""Their key in a session's `extra`."""
MOST, LONGEST = 20, 500
"""How many ids a session keeps, and the most characters of one: the agent chooses them."""


def agent_ids_of(extra: Mapping[str, Any]) -> list[str]:
    """The ids in a session's `extra`, oldest first; none if they are damaged."""
    found = extra.get(AGENT_IDS)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def with_agent_id(extra: Mapping[str, Any], agent_id: str) -> dict[str, Any]:
    """The `extra` with this id as well, unless it is too long."""
    known = [each for each in agent_ids_of(extra) if each != agent_id]
    return {**extra, AGENT_IDS: [*known, agent_id][-MOST:]} if len(agent_id) <= LONGEST else dict(extra)
