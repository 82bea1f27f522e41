"""Converts an agent's updates during one answer into pieces; updates are untrusted. Knows no process."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

from webchat.backends import Event, Piece
from webchat.backends.acp.inbox import Overflow
from webchat.backends.acp.shapes import identity, mappings, text, whole
from webchat.backends.acp.tool_calls import CallState, content_text
from webchat.chat.parts import MOST_ENTRIES, Plan, PlanEntry, PlanStatus, ToolCall, Usage

MOST_HELD = 64 * 2**20
"""Characters of all tool calls of one answer together, at most."""
PLAN_STATUSES: Mapping[str, PlanStatus] = {"pending": "pending", "in_progress": "running", "completed": "done"}
TRYING_AGAIN = "The agent is retrying its model"


class UpdateReader:
    """Turns the updates of one answer into pieces. `read` and `asked` raise Overflow."""

    def __init__(self, most_calls: int) -> None:
        self._most_calls = most_calls
        self._calls: dict[str, CallState] = {}
        self._renamed: dict[str, str] = {}
        """Our ids of the newest calls whose ids the agent had used before."""
        self._held = 0
        self._message_id: str | None = None
        self._gap = ""
        """The separator before the text of another message, so that it begins a paragraph; after a part it is not
        needed."""
        self._has_parts = self._has_plan = False

    def read(self, update: Mapping[str, Any]) -> Iterator[Piece]:
        """The pieces of one update; none for an update of an unknown kind."""
        kind = update.get("sessionUpdate")
        if kind == "agent_message_chunk":
            yield from self._text(update)
        elif kind == "agent_thought_chunk":
            if thought := content_text(update.get("content")):
                if self._has_parts:
                    self._gap = ""
                yield Event("reasoning", thought)
        elif kind in ("tool_call", "tool_call_update"):
            if call := self._merged(update):
                yield call
        elif kind == "plan":
            if not self._has_plan:
                self._begin_part()
            self._has_plan = True
            yield _plan(update)
        elif kind == "usage_update":
            used, size = whole(update.get("used")), whole(update.get("size"))
            if used is not None and size is not None:
                yield Usage(used, size)
        elif "retrying" in text(kind):
            yield Event("status", TRYING_AGAIN)

    def asked(self, tool_call: Mapping[str, Any]) -> ToolCall | None:
        """The tool call that a question is about, updated from the question; None if the question names none."""
        call = self._merged(tool_call)
        self._begin_part()
        return call

    def answered(self, call_id: str) -> None:
        """The question about this call has been answered."""
        if state := self._calls.get(call_id):
            state.go_on(time.monotonic())

    def _text(self, update: Mapping[str, Any]) -> Iterator[Piece]:
        said = content_text(update.get("content"))
        if not said:
            return
        message_id = identity(update.get("messageId")) or self._message_id
        begins = self._message_id is not None and message_id != self._message_id
        yield f"{self._gap}{said}" if begins else said
        self._message_id = message_id
        self._gap = "" if said.endswith("\n\n") else "\n" if said.endswith("\n") else "\n\n"

    def _merged(self, update: Mapping[str, Any]) -> ToolCall | None:
        call_id = identity(update.get("toolCallId"))
        if not call_id:
            return None
        call_id = self._newest(call_id, update)
        state = self._calls.get(call_id)
        if state is None:
            if len(self._calls) >= self._most_calls:
                raise Overflow
            state = self._calls[call_id] = CallState(ToolCall(call_id))
            self._begin_part()
        before = state.size
        call = state.merge(update, time.monotonic())
        self._held += state.size - before
        if self._held > MOST_HELD:
            self._release(state)
        return call

    def _newest(self, call_id: str, update: Mapping[str, Any]) -> str:
        """Our id of the call that the update is about: a new one if it begins another call after one with its id."""
        newest = self._renamed.get(call_id, call_id)
        state = self._calls.get(newest)
        if state and update.get("sessionUpdate") != "tool_call_update" and state.is_over_before(update):
            newest = self._renamed[call_id] = secrets.token_hex(16)
        return newest

    def _release(self, latest: CallState) -> None:
        """Forget the output of finished calls, oldest first, until little enough is held. Raises Overflow."""
        for state in self._calls.values():
            if state is not latest and not state.call.is_open and self._held > MOST_HELD:
                self._held -= state.size
                state.release()
        if self._held > MOST_HELD:
            raise Overflow

    def _begin_part(self) -> None:
        self._gap, self._has_parts = "", True


def _plan(update: Mapping[str, Any]) -> Plan:
    entries = mappings(update.get("entries"), MOST_ENTRIES)
    return Plan(
        tuple(
            PlanEntry(
                text(entry.get("content")),
                PLAN_STATUSES.get(text(entry.get("status")), "pending"),
                text(entry.get("priority")),
            )
            for entry in entries
        )
    )
