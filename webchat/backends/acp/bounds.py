"""How long an agent is waited for, and how much it may send. Knows no agent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Bounds:
    """The limits for all agents of one backend. Only an agent in an endless loop should reach them."""

    start_patience: float = 30.0
    """Seconds to wait for an agent to start before its own sessions are listed."""
    cancel_patience: float = 5.0
    """Seconds that an agent has to end a cancelled prompt."""
    choice_patience: float = 15.0
    """Seconds that an agent has to confirm a choice."""
    most_unread: int = 16 * 2**20
    """Characters of an answer that are buffered until they are read."""
    most_calls: int = 5_000
    """Tool calls of one answer."""
