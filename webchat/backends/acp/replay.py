"""Reads the messages that an agent replays when it loads a session. Knows no process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from webchat.backends import HistoryItem
from webchat.backends.acp.connection import CANCELLED, AgentSession
from webchat.backends.acp.shapes import identity, text
from webchat.backends.acp.tool_calls import content_text

MOST_REPLAYED = 32 * 2**20
"""Characters of a session that are read at most."""
QUIET, QUIET_UNFINISHED, LONGEST_REPLAY = 0.3, 1.5, 10.0
"""Seconds of silence after which a replay is over: if it contains the end of the conversation, and if not; and the most
seconds that it may take."""


def wait_for_end(session: AgentSession, has_ended: Callable[[], bool], pause: Callable[[float], None]) -> None:
    """Wait until the replay is over; parts of it, or all, may come after the response.

    `has_ended`: whether the conversation's end has come. `pause` waits for so many seconds, and may raise.
    """
    begun = time.monotonic()
    while (now := time.monotonic()) < begun + LONGEST_REPLAY:
        over = session.heard_at + QUIET
        if now >= over and (now >= session.heard_at + QUIET_UNFINISHED or has_ended()):
            return
        pause(max(over - now, QUIET / 3))


class Replay:
    """Collects the messages of a session that is being loaded; tool calls are left out."""

    ROLES: Mapping[str, str] = {"user_message_chunk": "user", "agent_message_chunk": "assistant"}

    def __init__(self) -> None:
        self._messages: list[tuple[str, list[str]]] = []
        self._message_id = ""
        self._is_broken = False
        """Whether a tool call came after the last text."""
        self._size = 0

    @property
    def is_too_long(self) -> bool:
        return self._size > MOST_REPLAYED

    @property
    def ends_with_answer(self) -> bool:
        """Whether the last message so far is the agent's."""
        return bool(self._messages) and self._messages[-1][0] == "assistant"

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

    def has(self, history: Sequence[HistoryItem]) -> bool:
        """Whether the replay contains the end of this conversation; white space does not count."""
        last = next((item for item in reversed(history) if str(item.get("content") or "").strip()), None)
        said = "".join(part for role, parts in self._messages if last and role == last["role"] for part in parts)
        return last is None or "".join(str(last["content"]).split()) in "".join(said.split())

    def ask(self, answer: Callable[[Mapping[str, Any]], None], question: Mapping[str, Any]) -> None:
        answer(CANCELLED)

    def messages(self) -> list[HistoryItem]:
        joined = [(role, "".join(texts).strip()) for role, texts in self._messages]
        return [{"role": role, "content": said} for role, said in joined if said]


def _is_reminder(role: str, said: str) -> bool:
    """Whether the agent, and not the person, said this to its model in the person's name."""
    return role == "user" and said.startswith("<system-reminder>") and said.rstrip().endswith("</system-reminder>")
