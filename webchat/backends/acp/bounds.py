"""How long an agent is waited for, and how much it may send. Knows no agent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Bounds:
    """Of all agents of one backend. Readers keep up with any agent that is not looping."""

    start_patience: float = 30.0
    """Seconds that the list of its own sessions waits for an agent to start."""
    cancel_patience: float = 5.0
    """Seconds that an agent has to end a prompt that was cancelled."""
    most_unread: int = 16 * 2**20
    """Characters of an answer's text that nobody has read yet."""
    most_calls: int = 5_000
    """Tool calls of one answer."""
