"""Sessions of Codex: `sessions/<year>/<month>/<day>/rollout-….jsonl` below its folder, appended to as it works.

Items are wrapped as {timestamp, type, payload}. The person's messages are taken from the events, since items of role
user also hold the environment. Shapes as of November 2026; unknown rows are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from webchat.chat.texts import title_of
from webchat.programs.program import Described, Read, Spotted, spotted_in
from webchat.programs.rows import END_ONLY, Row, all_rows, first_rows
from webchat.programs.turns import Turns, parsed, stated, text_of
from webchat.programs.untouched import entries

_FILE = re.compile(r"rollout-.*?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\.jsonl", re.ASCII)
_NUMBER = re.compile(r"\d{2,4}", re.ASCII)


class CodexSessions:
    """See `webchat.programs.program.Program`."""

    name, label = "codex", "Codex"

    def __init__(self, home: Path) -> None:
        """`home` is Codex's folder, such as `~/.codex`."""
        self._sessions = home / "sessions"

    def scan(self, known: Mapping[str, Spotted]) -> Iterator[Spotted]:
        for year in _numbered(str(self._sessions)):
            for month in _numbered(year):
                for day in _numbered(month):
                    yield from _in(day, known)

    def describe(self, spotted: Spotted) -> Described | None:
        rows = list(first_rows(spotted.path))
        said = next((text for row in _asking(rows) if (text := _said(row))), "")
        if not said:
            return None
        about = next((_payload(row) for row in rows if row.get("type") == "session_meta"), {})
        source = about.get("source")
        spawned = source.get("subagent") if isinstance(source, dict) else None
        parent = _parent_in(spawned) if spawned else stated(about, "parent_thread_id") or None
        return Described(title_of(said), stated(about, "cwd"), stated(about, "timestamp"), parent)

    def read(self, spotted: Spotted) -> Read:
        rows, is_sound, is_whole = all_rows(spotted.path)
        asking, turns, model = {id(row) for row in _asking(rows)}, Turns(), ""
        for row in rows:
            turns.next_row()
            time, payload = stated(row, "timestamp"), _payload(row)
            if row.get("type") == "turn_context":
                model = stated(payload, "model")
            elif id(row) in asking:
                said = _said(row)
                if said:
                    turns.ask(said, time)
            elif row.get("type") == "event_msg":
                if payload.get("type") == "turn_aborted":
                    turns.note("Interrupted.", time)
            else:
                _take_in(turns, payload, time, model or None)
        return Read(turns.finished(), turns.rows, not is_sound, "" if is_whole else END_ONLY)


def _numbered(folder: str) -> list[str]:
    with entries(folder) as found:
        return [f"{folder}/{entry.name}" for entry in found if _NUMBER.fullmatch(entry.name)]


def _in(folder: str, known: Mapping[str, Spotted]) -> Iterator[Spotted]:
    with entries(folder) as found:
        for entry in found:
            match = _FILE.fullmatch(entry.name)
            spotted = spotted_in(folder, entry, match[1], known.get(match[1])) if match else None
            if spotted:
                yield spotted


def _payload(row: Row) -> Row:
    """A row's payload. The earliest files have no wrapper."""
    found = row.get("payload", row)
    return found if isinstance(found, dict) else {}


def _asking(rows: Iterable[Row]) -> list[Row]:
    """The rows with the person's messages: events, or in files without them the items that are not the environment."""
    rows = list(rows)
    events = [row for row in rows if row.get("type") == "event_msg" and _payload(row).get("type") == "user_message"]
    return events or [row for row in rows if row.get("type") != "event_msg" and _payload(row).get("role") == "user"]


def _said(row: Row) -> str:
    payload = _payload(row)
    if payload.get("type") == "user_message":
        return stated(payload, "message").strip()
    text = text_of(payload.get("content")).strip()
    return "" if text.startswith(("<environment_context>", "<user_instructions>", "# AGENTS.md")) else text


def _parent_in(spawned: object) -> str:
    """The id of the session that a subagent works for; "?" if it is not named."""
    if isinstance(spawned, dict):
        for value in spawned.values():
            if isinstance(value, dict) and stated(value, "parent_thread_id"):
                return stated(value, "parent_thread_id")
    return "?"


def _take_in(turns: Turns, payload: Row, time: str, model: str | None) -> None:
    kind = payload.get("type")
    if kind == "message" and payload.get("role") == "assistant":
        turns.say(text_of(payload.get("content")), time, model)
    elif kind == "reasoning":
        turns.reason(text_of(payload.get("summary")), time, model)
    elif kind in ("function_call", "custom_tool_call"):
        given = payload.get("arguments", payload.get("input"))
        turns.call(stated(payload, "call_id"), stated(payload, "name") or "tool", parsed(given), time, model)
    elif kind == "local_shell_call":
        turns.call(stated(payload, "call_id"), "shell", payload.get("action"), time, model)
    elif kind == "web_search_call":
        call_id = stated(payload, "call_id") or stated(payload, "id")
        turns.call(call_id, "web_search", payload.get("action"), time, model)
    elif kind in ("function_call_output", "custom_tool_call_output"):
        output = parsed(payload.get("output"))
        failed = isinstance(output, dict) and (output.get("success") is False or _exit_code(output) != 0)
        turns.result(stated(payload, "call_id"), output, time, failed=failed)


def _exit_code(output: Row) -> object:
    about = output.get("metadata")
    return about.get("exit_code", 0) if isinstance(about, dict) else 0
