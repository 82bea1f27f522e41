"""Session folders in the formats of Amplifier, Claude Code and Codex, written by hand."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.foreign import others

Row = Mapping[str, Any]
ROOT = "11111111-2222-4333-8444-555555555555"
THREAD = "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000"


class Programs:
    """The homes of the three programs, below one folder."""

    def __init__(self, folder: Path) -> None:
        self.amplifier, self.claude, self.codex = folder / "home", folder / "claude", folder / "codex"
        self.work = folder / "work"
        self.work.mkdir(parents=True)

    # Amplifier

    def amplifier_session(self, rows: Sequence[Row], session_id: str = ROOT, **about: Any) -> Path:
        slug = str(self.work).replace("/", "-")
        folder = self.amplifier / "projects" / slug / "sessions" / session_id
        folder.mkdir(parents=True, exist_ok=True)
        known = {"session_id": session_id, "created": "2026-11-01T10:00:00+00:00", "working_dir": str(self.work)}
        self.replace(folder / "metadata.json", json.dumps(known | about))
        self.replace(folder / "transcript.jsonl", others.lines(*rows).decode())
        return folder

    @staticmethod
    def replace(path: Path, text: str) -> None:
        """Like the program: the old file is copied to `.backup`, and a new one renamed into its place."""
        if path.exists():
            path.with_name(path.name + ".backup").write_bytes(path.read_bytes())
        new = path.with_name(f".{path.stem}_new.tmp")
        new.write_text(text, "utf-8")
        new.rename(path)

    # Claude Code

    def claude_session(self, rows: Sequence[Row], name: str = "aaaa-1", below: str = "") -> Path:
        path = self.claude / "projects" / "-work" / below / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(others.lines(*rows))
        return path

    def claude_row(self, number: int, before: int | None, role: str, content: object, **more: Any) -> Row:
        message = {"role": role, "content": content}
        message |= {"model": "claude-x", "id": f"msg{number}"} if role == "assistant" else {}
        about = {"sessionId": "aaaa-1", "timestamp": f"2026-11-02T10:00:{number:02d}.000Z", "cwd": str(self.work)}
        return others.code(role, f"u{number}", f"u{before}" if before else None, message, **about | more)

    # Codex

    def codex_session(self, rows: Sequence[Row], name: str = THREAD) -> Path:
        path = self.codex / "sessions" / "2026" / "11" / "03" / f"rollout-2026-11-03T09-00-00-{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(others.lines(*rows))
        return path

    codex_row = staticmethod(others.codex)


AMPLIFIER_ROWS: list[Row] = [
    {"role": "user", "content": '<system-reminder source="hook">Today is Monday.</system-reminder>'},
    {
        "role": "user",
        "content": [{"type": "text", "text": "Why does the test fail?"}],
        "metadata": {"timestamp": "2026-11-01T10:00:00+00:00"},
    },
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "I should look.", "signature": "c2lnbmVk"},
            {"type": "text", "text": "I look."},
            {"type": "tool_call", "id": "t1", "name": "bash", "input": {"command": "pytest -x"}},
        ],
        "tool_calls": [{"id": "t1", "tool": "bash", "arguments": {"command": "pytest -x"}}],
        "metadata": {"timestamp": "2026-11-01T10:00:05+00:00"},
    },
    {"role": "tool", "name": "bash", "tool_call_id": "t1", "content": '{"success": false, "output": "1 failed"}'},
    {"role": "user", "content": "Not said.", "metadata": {"ephemeral": True}},
    {"role": "assistant", "content": "It is the **clock**."},
]


def claude_rows(programs: Programs) -> list[Row]:
    row = programs.claude_row
    return [
        row(1, None, "user", "Rename the Dampfschiff module"),
        row(2, 1, "assistant", [{"type": "thinking", "thinking": "Where is it?", "signature": "c2ln"}]),
        row(3, 2, "assistant", [{"type": "tool_use", "id": "t", "name": "Read", "input": {"file_path": "/w/a.py"}}]),
        row(4, 3, "user", [{"type": "tool_result", "tool_use_id": "t", "content": "print(1)"}]),
        row(5, 4, "assistant", [{"type": "text", "text": "Renamed."}]),
    ]


def codex_rows(programs: Programs) -> list[Row]:
    about = others.codex("session_meta", id=THREAD, cwd=str(programs.work), timestamp="2026-11-03T09:00:00.000Z")
    return [about, *others.CODEX[1:]]


def everything(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything observable about a folder from outside, including access times."""
    found: dict[str, tuple[object, ...]] = {}
    # All states first, because reading the files here is this test's own access.
    paths = [folder, *sorted(folder.rglob("*"))]
    for path in paths:
        state = os.lstat(path)
        found[str(path)] = (
            state.st_mode,
            state.st_size,
            state.st_ino,
            state.st_nlink,
            state.st_mtime_ns,
            state.st_ctime_ns,
            state.st_atime_ns,
        )
    return found
