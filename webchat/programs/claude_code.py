"""Sessions of Claude Code: `projects/<slug>/<id>.jsonl` below its folder, appended to as it works.

Each row has the uuid of its parent, so a file holds a tree; the branch with the last row is the current one. Shapes as
of November 2026, from public parsers and files; unknown rows are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path

from webchat.agent_logs.claude_code import TITLES, model_in, parent_of, said_in, steps
from webchat.agent_logs.values import Row, stated
from webchat.chat.texts import title_of
from webchat.programs.program import Described, Read, Spotted, spotted_in
from webchat.programs.rows import END_ONLY, all_rows, first_rows, last_rows
from webchat.programs.turns import Turns
from webchat.programs.untouched import entries

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)


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
        said = next((text for row in spoken if (text := said_in(row))), "")
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
            turns.rows += 1
            for step in steps(row):
                turns.take(step, stated(row, "timestamp"), model_in(row))
        return Read(turns.finished(), turns.rows, not is_sound, "" if is_whole else END_ONLY)


def _titles(rows: Iterator[Row]) -> str:
    """The session's title, from its rows, latest first."""
    found: dict[str, str] = {}
    for row in rows:
        kind = str(row.get("type"))
        if kind in TITLES:
            found.setdefault(kind, stated(row, TITLES[kind]))
    return next((found[kind] for kind in TITLES if found.get(kind)), "")


def _branch(rows: Sequence[Row]) -> list[Row]:
    """The rows of the current branch, oldest first. A lost row, such as a damaged line, does not end it."""
    by_id = {stated(row, "uuid"): row for row in rows if stated(row, "uuid")}
    is_agents = next((row.get("isSidechain") is True for row in by_id.values()), False)
    own = [row for row in by_id.values() if (row.get("isSidechain") is True) == is_agents]
    before = {stated(row, "uuid"): earlier for earlier, row in pairwise(own)}
    spoken = [row for row in own if row.get("type") in ("user", "assistant")]
    branch: list[Row] = []
    here = spoken[-1] if spoken else None
    passed: set[str] = set()
    while here is not None and stated(here, "uuid") not in passed:
        name, parent = stated(here, "uuid"), parent_of(here)
        passed.add(name)
        branch.append(here)
        here = by_id.get(parent) or (before.get(name) if parent else None)
    return branch[::-1]
