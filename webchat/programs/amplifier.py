"""Sessions of Amplifier's command line: `projects/<slug>/sessions/<id>/` below its home.

`transcript.jsonl` is replaced as a whole after each turn and tool call, and the previous one is kept as `.backup`. Both
are read as microsoft/amplifier-app-cli writes them (November 2026).
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from webchat.agent_logs.values import Row, Step, call_of, parsed, result_of, stated, text_of
from webchat.chat.parts import Note, Part, Reasoning, Text
from webchat.chat.texts import title_of
from webchat.programs.program import Described, Read, Spotted
from webchat.programs.rows import END_ONLY, all_rows, first_rows
from webchat.programs.turns import Turns
from webchat.programs.untouched import entries, head, state_of

TRANSCRIPT, METADATA = "transcript.jsonl", "metadata.json"
LARGEST_METADATA = 2**20
"""The most bytes of metadata that are read."""
BACKUP_SERVED = "This conversation's file could not be read. You see its backup."
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)
_REMINDER = re.compile(r"\s*<system-reminder\b", re.IGNORECASE)


class AmplifierSessions:
    """See `webchat.programs.program.Program`."""

    name, label = "amplifier", "Amplifier"

    def __init__(self, homes: Iterable[Path]) -> None:
        """`homes` are the folders that may be Amplifier's."""
        self._projects = list({os.path.realpath(home): str(home / "projects") for home in homes}.values())

    def scan(self, known: Mapping[str, Spotted]) -> Iterator[Spotted]:
        for projects in self._projects:
            yield from _in(projects, known)

    def describe(self, spotted: Spotted) -> Described | None:
        about = _metadata(spotted.path)
        if about.get("hidden") is True or about.get("session_visibility") == "internal":
            return None
        first = _first_said(spotted.path)
        if first is None:
            return None
        is_fork = about.get("forked_from_turn") is not None
        parent = stated(about, "parent_id") if not is_fork else ""
        title = stated(about, "name") or stated(about, "agent_name") or first
        return Described(
            title_of(title),
            stated(about, "working_dir") or _folder_of(stated(about, "parent_id"), spotted.path.parent),
            stated(about, "created"),
            parent or (_parent_of(spotted.id) if "_" in spotted.id else None),
        )

    def read(self, spotted: Spotted) -> Read:
        rows, is_sound, is_whole = _read(spotted.path / TRANSCRIPT)
        remark = "" if is_whole else END_ONLY
        if not is_sound:
            before, is_sound, _ = _read(spotted.path / f"{TRANSCRIPT}.backup")
            if is_sound:
                rows, remark = before, BACKUP_SERVED
        turns = Turns()
        for row in rows:
            _take_in(turns, row)
        return Read(turns.finished(), turns.rows, not is_sound, remark)


def _in(projects: str, known: Mapping[str, Spotted]) -> Iterator[Spotted]:
    with entries(projects) as found:
        names = [entry.name for entry in found]
    for project in names:
        sessions = f"{projects}/{project}/sessions"
        with entries(sessions) as found:
            for entry in found:
                spotted = _spotted(sessions, entry, known.get(entry.name))
                if spotted:
                    yield spotted


def _spotted(sessions: str, entry: os.DirEntry[str], known: Spotted | None) -> Spotted | None:
    try:
        folder = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    # Both files are renamed into place, which changes the folder's time: only then are the files examined.
    path = f"{sessions}/{entry.name}"
    if known is not None and known.revision[0] == folder.st_mtime_ns and str(known.path) == path:
        return known
    if not stat.S_ISDIR(folder.st_mode) or not _ID.fullmatch(entry.name):
        return None
    states = (state_of(f"{path}/{name}") for name in (TRANSCRIPT, f"{TRANSCRIPT}.backup"))
    written = next((state for state in states if state and state.st_size), None)
    if written is None:
        return None
    revision = (folder.st_mtime_ns, written.st_mtime_ns, written.st_size, written.st_ino)
    return Spotted(entry.name, Path(path), written.st_mtime, revision)


def _read(path: Path) -> tuple[list[Row], bool, bool]:
    """See `all_rows`; a missing or empty file counts as damaged."""
    try:
        rows, is_sound, is_whole = all_rows(path, may_grow=False)
    except OSError:
        return [], False, True
    return rows, is_sound and bool(rows), is_whole


def _parent_of(session_id: str) -> str:
    """Not a valid session id, so that a subagent's session whose metadata do not name its parent stays hidden."""
    return f"?{session_id}"


def _folder_of(parent: str, sessions: Path) -> str:
    """Where the session with this id beside it works: forks and agents do not say it. "" if that is not known."""
    return stated(_metadata(sessions / parent), "working_dir") if _ID.fullmatch(parent) else ""


def _metadata(folder: Path) -> Row:
    for name in (METADATA, f"{METADATA}.backup"):
        try:
            found = json.loads(head(folder / name, LARGEST_METADATA))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    return {}


def _first_said(folder: Path) -> str | None:
    """The person's first message; "" if there are only the model's, None if there are no messages."""
    rows = _beginning(folder / TRANSCRIPT) or _beginning(folder / f"{TRANSCRIPT}.backup")
    said = next((text for row in rows if (text := _question(row))), None)
    return "" if said is None and any(row.get("role") == "assistant" for row in rows) else said


def _beginning(path: Path) -> list[Row]:
    try:
        return [*first_rows(path)]
    except FileNotFoundError:
        return []


def _question(row: Row) -> str:
    """The person's message in this row."""
    about = row.get("metadata")
    if row.get("role") != "user" or (isinstance(about, dict) and about.get("ephemeral")):
        return ""
    text = text_of(_texts(row.get("content")))
    return "" if _REMINDER.match(text) else text.strip()


def _texts(content: object) -> object:
    """The text blocks of a row."""
    if not isinstance(content, list):
        return content
    return [block for block in content if isinstance(block, dict) and block.get("type") == "text"]


def _take_in(turns: Turns, row: Row) -> None:
    turns.rows += 1
    about = row.get("metadata")
    time = stated(about, "timestamp") if isinstance(about, dict) else ""
    for step in _steps(row):
        turns.take(step, time or stated(row, "timestamp"))


def _steps(row: Row) -> Iterator[Step]:
    """What the row says."""
    role, content, calls = row.get("role"), row.get("content"), row.get("tool_calls")
    if role == "user":
        yield from filter(None, [_question(row)])
    elif role == "assistant":
        blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
        yield from (part for block in blocks if isinstance(block, dict) and (part := _part(block)))
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                yield call_of(stated(call, "id"), stated(call, "tool"), call.get("arguments"))
    elif role == "tool":
        content = parsed(content)
        yield result_of(stated(row, "tool_call_id"), content, failed=_has_failed(content))


def _part(block: Row) -> Part | None:
    kind = block.get("type")
    if kind == "text":
        return Text(stated(block, "text"))
    if kind in ("thinking", "reasoning"):
        return Reasoning(stated(block, "thinking") or text_of(block.get("content") or block.get("text")))
    if kind == "tool_call":
        return call_of(stated(block, "id"), stated(block, "name"), block.get("input"))
    return Note("A picture is not shown here.") if kind == "image" else None


def _has_failed(content: object) -> bool:
    """Whether a tool's result reports a failure."""
    return isinstance(content, dict) and (content.get("success") is False or bool(content.get("error")))
