"""Sessions of Codex: `sessions/<year>/<month>/<day>/rollout-….jsonl` below its folder, appended to as it works.

What its rows say is in `webchat.agent_logs.codex`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from webchat.agent_logs.codex import asking, model_in, payload_of, said_in, steps
from webchat.agent_logs.values import stated
from webchat.chat.texts import title_of
from webchat.programs.program import Described, Read, Spotted, spotted_in
from webchat.programs.rows import END_ONLY, all_rows, first_rows
from webchat.programs.turns import Turns
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
        said = next((text for row in asking(rows) if (text := said_in(row))), "")
        if not said:
            return None
        about = next((payload_of(row) for row in rows if row.get("type") == "session_meta"), {})
        source = about.get("source")
        spawned = source.get("subagent") if isinstance(source, dict) else None
        parent = _parent_in(spawned) if spawned else stated(about, "parent_thread_id") or None
        return Described(title_of(said), stated(about, "cwd"), stated(about, "timestamp"), parent)

    def read(self, spotted: Spotted) -> Read:
        rows, is_sound, is_whole = all_rows(spotted.path)
        questions, turns, model = {id(row) for row in asking(rows)}, Turns(), ""
        for row in rows:
            turns.rows += 1
            model = model_in(row) or model
            for step in steps(row, is_asking=id(row) in questions):
                turns.take(step, stated(row, "timestamp"), model or None)
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


def _parent_in(spawned: object) -> str:
    """The id of the session that a subagent works for; "?" if it is not named."""
    if isinstance(spawned, dict):
        for value in spawned.values():
            if isinstance(value, dict) and stated(value, "parent_thread_id"):
                return stated(value, "parent_thread_id")
    return "?"
