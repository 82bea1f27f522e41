"""Sessions of Claude Code: `projects/<slug>/<id>.jsonl` below its folder, appended to as it works.

Each row has the uuid of its parent, so a file holds a tree; the branch with the last row is the current one. Shapes as
of November 2026, from public parsers and files; unknown rows are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from webchat.chat.texts import title_of
from webchat.programs.program import Described, Read, Spotted, spotted_in
from webchat.programs.rows import END_ONLY, Row, all_rows, first_rows, last_rows
from webchat.programs.turns import Turns, stated, text_of
from webchat.programs.untouched import entries

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_NOT_SAID = ("<local-command-", "<system-reminder", "<bash-stdout", "<task-notification")
_INTERRUPTED = "[Request interrupted by user"
_TITLES = {"custom-title": "customTitle", "ai-title": "aiTitle", "summary": "summary"}
"""The types of rows that name a session, by precedence, and their fields."""


class ClaudeCodeSessions:
    """See `webchat.programs.program.Program`."""

    name, label = "claude-code", "Claude Code"

    def __init__(self, home: Path) -> None:
        """`home` is Claude Code's folder, such as `~/.claude`."""
        self._projects = home / "projects"

    def scan(self, known: Mapping[str, Spotted]) -> Iterator[Spotted]:
        with entries(self._projects) as projects:
            names = [entry.name for entry in projects]
        for project in names:
            yield from self._in(f"{self._projects}/{project}", known)

    def _in(self, folder: str, known: Mapping[str, Spotted]) -> Iterator[Spotted]:
        below = []
        with entries(folder) as found:
            for entry in found:
                name, dot, suffix = entry.name.partition(".")
                if suffix == "jsonl":
                    spotted = spotted_in(folder, entry, name, known.get(name))
                    if spotted and (name in known or _ID.fullmatch(name)):
                        yield spotted
                elif not dot:
                    below.append(name)
        for name in below:  # a session's own folder, which may hold its subagents' work
            yield from self._in(f"{folder}/{name}/subagents", known)

    def describe(self, spotted: Spotted) -> Described | None:
        rows = list(first_rows(spotted.path))
        spoken = [row for row in rows if row.get("type") in ("user", "assistant")]
        if not spoken:
            return None
        said = next((text for row in spoken if (text := _said(row))), "")
        named = _titles(chain(last_rows(spotted.path), reversed(rows)))
        is_agents = spoken[0].get("isSidechain") is True
        if not said and not named:
            return None
        return Described(
            title_of(named or said),
            next((cwd for row in rows if (cwd := stated(row, "cwd"))), ""),
            stated(spoken[0], "timestamp"),
            (stated(spoken[0], "sessionId") or "?") if is_agents else None,
        )

    def read(self, spotted: Spotted) -> Read:
        rows, is_sound, is_whole = all_rows(spotted.path)
        turns = Turns()
        for row in _branch(rows):
            turns.next_row()
            _take_in(turns, row)
        return Read(turns.finished(), turns.rows, not is_sound, "" if is_whole else END_ONLY)


def _titles(rows: Iterator[Row]) -> str:
    """The session's title, from its rows, latest first."""
    found: dict[str, str] = {}
    for row in rows:
        kind = str(row.get("type"))
        if kind in _TITLES:
            found.setdefault(kind, stated(row, _TITLES[kind]))
    return next((found[kind] for kind in _TITLES if found.get(kind)), "")


def _branch(rows: Sequence[Row]) -> list[Row]:
    """The rows of the current branch, oldest first."""
    by_id = {stated(row, "uuid"): row for row in rows if stated(row, "uuid")}
    is_agents = next((row.get("isSidechain") is True for row in by_id.values()), False)
    spoken = [
        row
        for row in by_id.values()
        if row.get("type") in ("user", "assistant") and (row.get("isSidechain") is True) == is_agents
    ]
    branch: list[Row] = []
    here = spoken[-1] if spoken else None
    passed: set[str] = set()
    while here is not None and stated(here, "uuid") not in passed:
        passed.add(stated(here, "uuid"))
        branch.append(here)
        here = by_id.get(stated(here, "parentUuid") or stated(here, "logicalParentUuid"))
    return branch[::-1]


def _message(row: Row) -> Row:
    found = row.get("message")
    return found if isinstance(found, dict) else {}


def _said(row: Row) -> str:
    """The person's message in this row."""
    if row.get("type") != "user" or row.get("isMeta") or row.get("isCompactSummary"):
        return ""
    content = _message(row).get("content")
    if isinstance(content, list):
        content = [block for block in content if isinstance(block, dict) and block.get("type") == "text"]
    text = text_of(content).strip()
    command = _between(text, "<command-name>", "</command-name>")
    if command:
        return f"{command} {_between(text, '<command-args>', '</command-args>')}".strip()
    return "" if text.startswith((*_NOT_SAID, _INTERRUPTED)) else text


def _between(text: str, begin: str, end: str) -> str:
    """The text between these two marks; "" if they are missing."""
    _, _, rest = text.partition(begin)
    found, closed, _ = rest.partition(end)
    return found.strip() if closed else ""


def _take_in(turns: Turns, row: Row) -> None:
    time, message = stated(row, "timestamp"), _message(row)
    if row.get("type") == "assistant":
        _take_in_answer(turns, message, time)
    elif row.get("type") == "user":
        content = message.get("content")
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict) and block.get("type") == "tool_result":
                failed = block.get("is_error") is True
                turns.result(stated(block, "tool_use_id"), _results(block), time, failed=failed)
        said = _said(row)
        if said:
            turns.ask(said, time)
        elif text_of(content).startswith(_INTERRUPTED):
            turns.note("Interrupted.", time)


def _results(block: Row) -> Any:  # noqa: ANN401  (whatever the tool gave)
    content = block.get("content")
    if not isinstance(content, list):
        return content
    return [part for part in content if not (isinstance(part, dict) and part.get("type") == "image")]


def _take_in_answer(turns: Turns, message: Row, time: str) -> None:
    model, content = stated(message, "model") or None, message.get("content")
    model = None if model == "<synthetic>" else model
    for block in content if isinstance(content, list) else [{"type": "text", "text": content}]:
        if not isinstance(block, dict):
            continue
        kind = block.get("type")
        if kind == "text":
            turns.say(stated(block, "text"), time, model)
        elif kind == "thinking":
            turns.reason(stated(block, "thinking"), time, model)
        elif kind in ("tool_use", "server_tool_use"):
            turns.call(stated(block, "id"), stated(block, "name") or "tool", block.get("input"), time, model)
